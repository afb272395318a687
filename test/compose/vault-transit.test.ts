/** From settings to a key manager of Vault: whom it trusts, what it shows of itself, what it signs, what it refuses. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { TLSSocket } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { managerOf } from '../helpers/managers-of.ts'
import { pem, pemFile } from '../helpers/pem.ts'
import { Sha256 } from '../helpers/sha256.ts'
import { VaultServer } from '../helpers/vault-server.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const NOW = Date.UTC(2026, 10, 26, 3, 4, 5)

let folder: string
let server: VaultServer
const managers: KeyManager[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealgate-vault-'))
})
afterEach(async () => {
  for (const manager of managers.splice(0)) await manager.close()
  await server.stop()
  rmSync(folder, { recursive: true })
})

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** As a file of settings says it. */
async function open(settings: object): Promise<KeyManager> {
  const whole = { type: 'vault-transit', keyName: 'main', ...settings }
  const manager = await managerOf(whole, 'vault', { clock: () => NOW, random: (bytes) => Buffer.alloc(bytes, 1) })
  managers.push(manager)
  return manager
}

describe('over TLS', () => {
  let address: string
  /** Common names of the clients' certificates, for each connection that asked anything. */
  let clients: Set<string>

  beforeEach(async () => {
    clients = new Set()
    const tls = { cert: pem('cert'), key: pem('key') }
    server = new VaultServer({ tls: { ...tls, requestCert: true, rejectUnauthorized: false } })
    address = await server.start()
    server.createKey('main')
    server.allowLogin('auth/cert/login', ({ name }, req) => {
      const { fingerprint256 } = (req.socket as TLSSocket).getPeerCertificate()
      clients.add(fingerprint256 ?? 'none')
      return name === 'gateway' && fingerprint256 !== undefined
    })
  })

  const fingerprint = (name: string): string => {
    const der = Buffer.from(pem(name).replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    return createHash('sha256').update(der).digest('hex').toUpperCase().match(/../g)?.join(':') ?? ''
  }

  it('trusts the authorities of caFile alone, and logs in by its client certificate', async () => {
    const login = { method: 'cert', role: 'gateway' }
    const files = { certFile: pemFile('other-cert'), keyFile: pemFile('other-key') }
    const stranger = await open({ address, login, ...files, caFile: pemFile('other-cert') })
    await expect(stranger.health()).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/\((DEPTH_ZERO_)?[A-Z_]*(SELF_SIGNED|UNABLE_TO_VERIFY|VERIFY)[A-Z_]*\)/) as string,
    })
    const manager = await open({ address, login, ...files, caFile: pemFile('cert') })
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    expect([...clients]).toEqual([fingerprint('other-cert')])
  })

  it('a certificate that was replaced is used for the next connection, without a restart', async () => {
    const certFile = write('client.pem', pem('other-cert'))
    const keyFile = write('client.key', pem('other-key'))
    const login = { method: 'cert', role: 'gateway' }
    const manager = await open({ address, login, certFile, keyFile, caFile: pemFile('cert') })
    await manager.health()
    write('client.pem', pem('cert'))
    write('client.key', pem('key'))
    server.revokeTokens()
    server.dropConnections()
    await manager.health().catch(() => undefined)
    await manager.health()
    expect([...clients]).toEqual([fingerprint('other-cert'), fingerprint('cert')])
  })

  it('certificates that cannot be read are refused at the start', async () => {
    const login = { method: 'cert', role: 'gateway' }
    const files = { certFile: join(folder, 'absent'), keyFile: pemFile('key') }
    await expect(open({ address, login, ...files })).rejects.toThrow('keys.managers.vault.certFile cannot be read')
  })
})

describe('without TLS on loopback', () => {
  let address: string

  beforeEach(async () => {
    server = new VaultServer()
    address = await server.start()
    server.createKey('main')
  })

  it('takes tokens and secrets from files that change', async () => {
    const tokenFile = write('token', 'not-yet-a-token')
    const manager = await open({ address, login: { method: 'token', tokenFile } })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'denied' })
    write('token', server.createToken())
    await expect(manager.health()).resolves.toBeUndefined()
  })

  it.each([
    ['us-east-1', 'https://sts.amazonaws.com/'],
    ['eu-central-1', 'https://sts.eu-central-1.amazonaws.com/'],
    ['cn-north-1', 'https://sts.cn-north-1.amazonaws.com.cn/'],
  ])(
    'signs a request for the identity of an AWS principal, for the STS of %s and for this Vault',
    async (region, url) => {
      let body: Readonly<Record<string, unknown>> = {}
      server.allowLogin('auth/aws/login', (given) => (body = given) === given)
      const aws = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'aws-test-secret', sessionToken: 'aws-session' }
      const manager = await open({
        address,
        login: { method: 'aws', role: 'sealgate', region, serverId: 'vault.example.com', ...aws },
      })
      await manager.health()
      const text = (name: string): string => Buffer.from(String(body[name]), 'base64').toString()
      expect([text('iam_request_url'), text('iam_request_body')]).toEqual([
        url,
        'Action=GetCallerIdentity&Version=2011-06-15',
      ])
      const { authorization, ...headers } = JSON.parse(text('iam_request_headers')) as Record<string, string>
      expect(headers).toMatchObject({
        'x-vault-aws-iam-server-id': 'vault.example.com',
        'x-amz-security-token': 'aws-session',
      })
      const signer = new SignatureV4({ service: 'sts', region, credentials: aws, sha256: Sha256 })
      const request = {
        method: 'POST',
        protocol: 'https:',
        hostname: new URL(url).host,
        path: '/',
        headers,
        body: text('iam_request_body'),
      }
      const signed = await signer.sign(request, { signingDate: new Date(NOW) })
      expect(authorization).toBe(signed.headers['authorization'])
    },
  )

  it.each([
    [{ address: 'http://vault.example.com:8200' }, 'would go over the network in the clear'],
    [{ login: { method: 'cert' } }, 'cert needs certFile and keyFile'],
    [{ certFile: '/cert' }, 'certFile and keyFile go together'],
    [{ login: { method: 'ldap' } }, 'write a map whose `method` is token, approle'],
    [{ login: { method: 'kubernetes' } }, 'vault.login.role: is missing'],
    [{ login: { method: 'aws', accessKeyId: 'x' } }, 'accessKeyId and secretAccessKey go together'],
    [{ keyName: '../sys/seal' }, 'write the name of a key'],
    [{ mount: 'a/../b' }, 'write a path of Vault'],
    [{ login: { method: 'approle', roleId: 'r', secretId: 'hush' } }, 'login.secretId: there is no such setting'],
  ])('settings that cannot be meant are refused: %j', async (wrong, hint) => {
    const call = open({ address, login: { method: 'token', tokenFile: '/token' }, ...wrong })
    await expect(call).rejects.toThrow(hint)
    await expect(call).rejects.not.toThrow('hush')
  })
})
