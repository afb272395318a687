/** Settings of a Transit key become a key manager: files are named and read here, AWS identities signed. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Timing } from '../attempts.ts'
import type { ManagerSettings } from '../config/settings.ts'
import { Unavailable } from '../errors.ts'
import { withinTime } from '../keys/deadline.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { VaultTransitKeyManager } from '../keys/vault-transit.ts'
import { type CallerIdentity, vaultAuth } from '../keys/vault-transit/auth.ts'
import { VaultClient, type VaultTls } from '../keys/vault-transit/client.ts'
import { VaultSession } from '../keys/vault-transit/session.ts'
import { signRequest } from '../s3/auth/sign.ts'
import { alarm, expirySeen } from '../telemetry/channels.ts'
import { awsCredentialsOf } from './aws-credentials.ts'
import { readText } from './read-text.ts'

type VaultSettings = ManagerSettings<'vault-transit'>
type AwsLogin = Extract<VaultSettings['login'], { readonly method: 'aws' }>

/** Asks nothing yet. Throws `Invalid` for certificates that cannot be read. */
export function openVaultTransit(alias: string, settings: VaultSettings, timing: Timing): KeyManager {
  const { address, namespace, mount, keyName, login, timeout } = settings
  for (const name of TLS_FILES)
    if (settings[name] !== undefined) readText(settings[name], `keys.managers.${alias}.${name}`)
  const client = new VaultClient({ alias, address, namespace, timeout, tls: () => readTls(settings) })
  const auth = vaultAuth(login, {
    readFile: (path) => readFile(path, 'utf8'),
    ...(login.method === 'aws'
      ? { callerIdentity: () => signIdentity(alias, login, { timeout, now: timing.now }) }
      : {}),
  })
  const session = new VaultSession({
    alias,
    client,
    auth,
    now: timing.now,
    random: timing.random,
    after: (milliseconds, work) => {
      const timer = setTimeout(() => void work(), milliseconds).unref()
      return () => clearTimeout(timer)
    },
    onToken: (at) => expirySeen.publish({ what: 'token', name: alias, at }),
    onTrouble: (what) => alarm.publish({ what: `a key manager loses Vault: ${what}`, detail: { manager: alias } }),
  })
  return new VaultTransitKeyManager({ alias, session, key: { mount, name: keyName, namespace } })
}

const TLS_FILES = ['caFile', 'certFile', 'keyFile'] as const

async function readTls({ caFile, certFile, keyFile }: VaultSettings): Promise<VaultTls> {
  const read = async (path: string | undefined) => (path === undefined ? undefined : readFile(path, 'utf8'))
  const [ca, cert, key] = await Promise.all([read(caFile), read(certFile), read(keyFile)])
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

/** GetCallerIdentity as Vault sends it on: to the STS of the region, with a header that ties it to this Vault where one is asked for. */
async function signIdentity(
  alias: string,
  login: AwsLogin,
  { timeout, now }: { readonly timeout: number; readonly now: () => number },
): Promise<CallerIdentity> {
  const { region, serverId } = login
  // What gives them may be away as Vault may.
  const found = await withinTime(timeout, awsCredentialsOf(login)).catch(() => {
    throw new Unavailable(`Vault, key manager ${alias}: there are no AWS credentials to log in with`)
  })
  const { accessKeyId, secretAccessKey, sessionToken } = found
  const url = stsOf(region)
  const headers = signRequest({
    method: 'POST',
    url,
    region,
    service: 'sts',
    now: new Date(now()),
    credentials: {
      accessKey: accessKeyId,
      secret: secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
    headers: {
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      ...(serverId === undefined ? {} : { 'x-vault-aws-iam-server-id': serverId }),
    },
    payloadHash: createHash('sha256').update(GET_CALLER_IDENTITY).digest('hex'),
  })
  return { accessKeyId, url, body: GET_CALLER_IDENTITY, headers }
}

const GET_CALLER_IDENTITY = 'Action=GetCallerIdentity&Version=2011-06-15'

function stsOf(region: string): string {
  if (region === 'us-east-1') return 'https://sts.amazonaws.com/'
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`
}
