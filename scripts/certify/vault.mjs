/** A real Vault on loopback over TLS, one node with its storage in a folder: it can be sealed, unsealed and started anew. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { makeCertificate } from './gateway.mjs'
import { build } from './install.mjs'
import { assert, freePort, serve, sh, until } from './shell.mjs'

const SOURCE = join(dirname(fileURLToPath(import.meta.url)), 'vault')

/** Vault's program, compiled from its Go module unless it is in the cache: a quarter of an hour. */
export function installVault({ cache }) {
  const bin = join(cache, 'bin', 'vault')
  if (!existsSync(bin)) {
    mkdirSync(dirname(bin), { recursive: true })
    const sources = ['build.sh', 'go.mod', 'main.go']
    build(cache, SOURCE, { needs: ['go', ['version']], sources, product: bin, command: ['bash', 'build.sh', bin] })
  }
  return { bin, version: /v(\d+\.\d+\.\d+)/.exec(sh(bin, ['version']))?.[1] ?? '' }
}

/** Starts it, initialised and unsealed, in `folder`. */
export async function startVault(folder, bin) {
  const { cert, key } = makeCertificate(folder, 'vault')
  const [port, cluster] = [await freePort(), await freePort()]
  const address = `https://127.0.0.1:${port}`
  const file = join(folder, 'vault.hcl')
  writeFileSync(file, configuration({ folder, port, cluster, cert, key }))
  const dispatcher = new Agent({ connect: { ca: readFileSync(cert) } })
  const log = join(folder, 'vault.log')
  const vault = { address, caFile: cert, bin, log, token: '' }
  const api = async (method, path, body) => {
    const headers = { 'x-vault-request': 'true', ...(vault.token && { 'x-vault-token': vault.token }) }
    const answer = await request(`${address}/v1/${path}`, { method, headers, body: body && JSON.stringify(body), dispatcher })
    const text = await answer.body.text()
    assert(answer.statusCode < 300, `${method} ${path} was answered with ${answer.statusCode}: ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
  const answering = () => api('GET', 'sys/seal-status').then(() => true, () => false)
  const healthy = () => api('GET', 'sys/health').then(() => true, () => false)
  let server
  mkdirSync(join(folder, 'storage'))
  const start = async () => {
    server = await serve(bin, ['server', `-config=${file}`], { log, ready: answering })
  }
  await start()
  const { keys, root_token: token } = await api('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
  vault.token = token
  const unseal = async () => {
    await api('PUT', 'sys/unseal', { key: keys[0] })
    await until(async () => assert(await healthy(), 'Vault has no leader'), 20)
  }
  await unseal()
  return {
    ...vault,
    api,
    unseal,
    seal: () => api('PUT', 'sys/seal'),
    /** Started again it is sealed. */
    start,
    stop: () => server.stop(),
    close: async () => {
      await server.stop()
      await dispatcher.destroy()
    },
  }
}

const configuration = ({ folder, port, cluster, cert, key }) => `
disable_mlock = true
ui = false
api_addr = "https://127.0.0.1:${port}"
cluster_addr = "https://127.0.0.1:${cluster}"
storage "raft" {
  path = "${folder}/storage"
  node_id = "one"
}
listener "tcp" {
  address = "127.0.0.1:${port}"
  cluster_address = "127.0.0.1:${cluster}"
  tls_cert_file = "${cert}"
  tls_key_file = "${key}"
}
`

/** The policy of docs/keys.md, word for word. */
export function documentedPolicy() {
  const text = readFileSync('docs/keys.md', 'utf8')
  const policy = /```hcl\n(# sealgate\.hcl[\s\S]*?)```/.exec(text)?.[1]
  assert(policy !== undefined, 'docs/keys.md has no policy')
  return policy
}

/**
 * A Transit key `sealgate`, the documented policy, and each way to log in that Vault can have here. Returns the settings of a key
 * manager for each way.
 */
export async function prepareLogins(vault, folder) {
  const { api } = vault
  await api('POST', 'sys/mounts/transit', { type: 'transit' })
  await api('POST', 'transit/keys/sealgate', { type: 'aes256-gcm96', derived: true })
  await api('PUT', 'sys/policies/acl/sealgate', { policy: documentedPolicy() })
  for (const type of ['approle', 'userpass', 'jwt', 'cert']) await api('POST', `sys/auth/${type}`, { type })
  const client = makeCertificate(folder, 'client')
  const secret = (name, text) => {
    writeFileSync(join(folder, name), `${text}\n`, { mode: 0o600 })
    return join(folder, name)
  }
  const ways = {
    approle: await prepareAppRole(api, secret),
    token: await prepareToken(api, secret),
    userpass: await prepareUserpass(api, secret),
    jwt: await prepareJwt(api, secret),
    cert: await prepareCert(api, client),
  }
  const common = { type: 'vault-transit', address: vault.address, caFile: vault.caFile, keyName: 'sealgate', timeout: '2s' }
  const tls = { certFile: client.cert, keyFile: client.key }
  return Object.fromEntries(
    Object.entries(ways).map(([name, login]) => [name, { ...common, login, ...(name === 'cert' && tls) }]),
  )
}

/** Short, so that renewals happen while we look. */
const TOKENS = { token_ttl: '6s', token_max_ttl: '20s' }
const POLICIES = { token_policies: ['sealgate'] }

async function prepareAppRole(api, secret) {
  await api('POST', 'auth/approle/role/sealgate', { ...POLICIES, ...TOKENS })
  const { data: role } = await api('GET', 'auth/approle/role/sealgate/role-id')
  const { data } = await api('POST', 'auth/approle/role/sealgate/secret-id')
  return { method: 'approle', roleId: role.role_id, secretIdFile: secret('secret-id', data.secret_id) }
}

async function prepareToken(api, secret) {
  const tokenFile = secret('token', '')
  await makeToken(api, tokenFile)
  return { method: 'token', tokenFile }
}

/** A new token in `file`. It outlives an outage, and not much more. */
export async function makeToken(api, file) {
  const { auth } = await api('POST', 'auth/token/create', { policies: ['sealgate'], period: '20s', no_parent: true })
  writeFileSync(file, `${auth.client_token}\n`)
}

async function prepareUserpass(api, secret) {
  await api('POST', 'auth/userpass/users/gateway', { password: 'correct horse', ...POLICIES, ...TOKENS })
  return { method: 'userpass', username: 'gateway', passwordFile: secret('password', 'correct horse') }
}

async function prepareJwt(api, secret) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  await api('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [pem] })
  const bound = { role_type: 'jwt', user_claim: 'sub', bound_audiences: ['vault'], bound_subject: 'gateway' }
  await api('POST', 'auth/jwt/role/sealgate', { ...bound, ...POLICIES, ...TOKENS })
  const now = Math.floor(Date.now() / 1_000)
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'ES256', typ: 'JWT' })}.${part({ sub: 'gateway', aud: 'vault', iat: now, exp: now + 3_600 })}`
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return { method: 'jwt', role: 'sealgate', jwtFile: secret('jwt', `${text}.${signature.toString('base64url')}`) }
}

async function prepareCert(api, client) {
  await api('POST', 'auth/cert/certs/sealgate', { certificate: readFileSync(client.cert, 'utf8'), ...POLICIES, ...TOKENS })
  return { method: 'cert', role: 'sealgate' }
}
