/** moto's KMS, STS and IAM on loopback, started by moto/serve.py: its keys outlive it, and one that is disabled is refused. */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KMS } from '@aws-sdk/client-kms'
import { python } from './install.mjs'
import { answers, assert, freePort, serve } from './shell.mjs'

const VERSION = '5.2.5'
const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), 'moto', 'serve.py')
const REGION = 'eu-central-1'

export function installMoto({ cache }) {
  return { bin: python(cache, [`moto[server,kms,sts,iam]==${VERSION}`], 'python-moto'), version: VERSION }
}

/** Starts it in `folder`. */
export async function startMoto(folder, { bin }) {
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const log = join(folder, 'moto.log')
  const args = [SCRIPT, join(folder, 'moto.keys'), '-H', '127.0.0.1', '-p', String(port)]
  let server
  const start = async () => {
    server = await serve(join(bin, 'python'), args, { log, ready: () => answers(`${endpoint}/moto-api/data.json`) })
  }
  await start()
  const credentials = { accessKeyId: 'AKIACERTIFYADMIN', secretAccessKey: 'certify-admin' }
  const client = (region) => new KMS({ endpoint, region, credentials, maxAttempts: 1 })
  return {
    endpoint,
    folder,
    log,
    region: REGION,
    /** By somebody who may do everything. */
    kms: client(REGION),
    start,
    stop: () => server.stop(),
    /** A request of the query protocol: IAM has no SDK here. */
    iam: async (Action, parameters) => {
      const body = new URLSearchParams({ Action, Version: '2010-05-08', ...parameters })
      const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20260101/us-east-1/iam/aws4_request`
      const answer = await fetch(endpoint, { method: 'POST', body, headers: { authorization } })
      const text = await answer.text()
      assert(answer.ok, `${Action} was answered with ${answer.status}: ${text}`)
      return (name) => new RegExp(`<${name}>([^<]+)<`).exec(text)?.[1]
    },
    /** From now on signatures and permissions are checked, or are not. */
    enforce: async (on) => {
      const answer = await fetch(`${endpoint}/moto-api/reset-auth`, { method: 'POST', body: on ? '0' : 'inf' })
      assert(answer.ok, `reset-auth was answered with ${answer.status}`)
    },
  }
}

/** A new key, which the alias stands for from now on; its id. */
export async function moveAlias(kms, AliasName) {
  const { KeyMetadata } = await kms.createKey({})
  const TargetKeyId = KeyMetadata.KeyId
  await kms
    .updateAlias({ AliasName, TargetKeyId })
    .catch(() => kms.createAlias({ AliasName, TargetKeyId }))
  return TargetKeyId
}

/** The policy of docs/keys.md, for every key: which one it is differs. For moto `ReEncrypt` is an action, at AWS it is the two of the policy. */
function documentedPolicy() {
  const text = readFileSync('docs/keys.md', 'utf8')
  const policy = /```json\n(\{\s+"Version": "2012-10-17"[\s\S]*?)```/.exec(text)?.[1]
  assert(policy !== undefined, 'docs/keys.md has no policy of AWS')
  const parsed = JSON.parse(policy)
  for (const statement of parsed.Statement) {
    statement.Resource = '*'
    if (REENCRYPT.every((action) => statement.Action.includes(action))) statement.Action.push('kms:ReEncrypt')
  }
  return parsed
}

const REENCRYPT = ['kms:ReEncryptFrom', 'kms:ReEncryptTo']

const anybody = { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRoleWithWebIdentity' }

/**
 * A user and a role with the documented policy. Returns the user's access key, the environment of a process that assumes the role by a
 * token, and how to take an action away from the user.
 */
export async function prepareIdentities({ iam, endpoint }, folder) {
  await iam('CreateUser', { UserName: 'gateway' })
  const allow = (policy) =>
    iam('PutUserPolicy', { UserName: 'gateway', PolicyName: 'sealgate', PolicyDocument: JSON.stringify(policy) })
  await allow(documentedPolicy())
  const key = await iam('CreateAccessKey', { UserName: 'gateway' })
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [anybody] })
  const role = await iam('CreateRole', { RoleName: 'gateway', AssumeRolePolicyDocument: trust })
  await iam('PutRolePolicy', { RoleName: 'gateway', PolicyName: 'sealgate', PolicyDocument: JSON.stringify(documentedPolicy()) })
  const token = join(folder, 'web-identity-token')
  writeFileSync(token, 'e30.e30.moto-reads-no-tokens', { mode: 0o600 })
  return {
    user: { accessKeyId: key('AccessKeyId'), secretAccessKey: key('SecretAccessKey') },
    roleEnv: { AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ROLE_ARN: role('Arn'), AWS_ENDPOINT_URL_STS: endpoint, AWS_REGION: REGION },
    /** The documented policy again, without these actions. */
    allowAllBut: async (...actions) => {
      const policy = documentedPolicy()
      for (const statement of policy.Statement) {
        const left = statement.Action.filter((action) => !actions.includes(action))
        assert(left.length + actions.length === statement.Action.length, `the documented policy lacks one of ${actions}`)
        statement.Action = left
      }
      await allow(policy)
    },
  }
}
