/** A stand-in for Vault: its HTTP API as far as a key manager uses it, with tokens that end, keys in versions, and the texts of Vault's own errors. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerOptions } from 'node:https'
import { minted } from './outputs.ts'
import { HttpListener } from './stand-in.ts'

type Fields = Readonly<Record<string, unknown>>

interface Key {
  readonly type: string
  readonly derived: boolean
  readonly convergent: boolean
  readonly versions: Buffer[]
  minDecryption: number
}

interface Token {
  expires: number
  /** Milliseconds of a lease; 0 for one without an end. */
  readonly lease: number
  readonly greatestAge: number
  readonly renewable: boolean
}

/** What becomes of a request before it is looked at: a failure, silence, or an answer of something else than Vault. */
export type Fault =
  | { readonly status: number; readonly errors?: readonly string[] }
  | 'silence'
  | { readonly body: string }

/** How many seconds tokens live. */
export interface Leases {
  readonly lease: number
  readonly greatestAge: number
  readonly renewable: boolean
}

const RIGHT_KIND = { type: 'aes256-gcm96', derived: true, convergent: false }
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HOUR = 3_600

export class VaultServer {
  readonly #listener: HttpListener
  readonly #mounts = new Set(['transit'])
  /** By mount and name. */
  readonly #keys = new Map<string, Key>()
  readonly #tokens = new Map<string, Token>()
  readonly #born = new Map<string, number>()
  readonly #logins = new Map<string, (body: Fields, req: IncomingMessage) => boolean>()
  /** Method and path of each request below `/v1/`, in the order in which they came. */
  readonly calls: string[] = []
  /** Headers of the last request. */
  headers: IncomingMessage['headers'] = {}
  /** Body of the last login. */
  loginBody: Fields = {}
  fault: Fault | undefined
  /** Only for requests whose path begins so. */
  faultAt = ''
  sealed = false
  /** Decrypt gives the plaintext of some other key. */
  confused = false
  /** Paths that no token may use. */
  denied: string[] = []
  leases: Leases = { lease: HOUR, greatestAge: 10 * HOUR, renewable: true }
  readonly #now: () => number

  constructor({ tls, now = () => 0 }: { readonly tls?: ServerOptions; readonly now?: () => number } = {}) {
    this.#listener = new HttpListener((req, res, body) => this.#serve(req, res, body), tls)
    this.#now = now
  }

  /** After `stop` it comes back where it was. */
  async start(): Promise<string> {
    await this.#listener.start()
    return this.#listener.url
  }

  stop(): Promise<void> {
    return this.#listener.stop()
  }

  dropConnections(): void {
    this.#listener.dropConnections()
  }

  createKey(name: string): void {
    this.#keys.set(`transit/${name}`, { ...RIGHT_KIND, versions: [randomBytes(32)], minDecryption: 1 })
  }

  /** A command line of Vault's own program, as far as operators of Transit keys need it. */
  run(command: string): void {
    const [, verb = '', ...rest] = command.split(' ')
    const [path = '', ...pairs] = rest.filter((word) => !word.startsWith('-'))
    const fields = Object.fromEntries(pairs.map((pair) => pair.split('=', 2)))
    const [, at = '', action = ''] = /^(\S+?\/keys\/[^/]+)(?:\/(.+))?$/.exec(path) ?? []
    const name = at.replace('/keys/', '/')
    const key = this.#keys.get(name)
    if (verb === 'secrets') this.#mounts.add(/-path=(\S+)/.exec(command)?.[1] ?? '')
    else if (verb === 'delete') this.#keys.delete(name)
    else if (action === 'rotate') key?.versions.push(randomBytes(32))
    else if (action === 'config' && key !== undefined) key.minDecryption = Number(fields['min_decryption_version'] ?? 1)
    else if (action === '') {
      const { type = '', derived, convergent_encryption: convergent } = fields
      const kind = { type, derived: derived === 'true', convergent: convergent === 'true' }
      this.#keys.set(name, { ...kind, versions: [randomBytes(32)], minDecryption: 1 })
    }
  }

  /** A login at `path`, such as `auth/approle/login`. */
  allowLogin(path: string, accepts: (body: Fields, req: IncomingMessage) => boolean): void {
    this.#logins.set(path, accepts)
  }

  createToken({ lease, greatestAge, renewable }: Partial<Leases> = {}): string {
    const token = minted('a token of Vault', `hvs.${randomUUID()}`)
    const of = { ...this.leases, ...(lease === undefined ? {} : { lease }) }
    const life = of.lease * 1_000
    this.#born.set(token, this.#now())
    this.#tokens.set(token, {
      expires: life === 0 ? Number.POSITIVE_INFINITY : this.#now() + life,
      lease: life,
      greatestAge: (greatestAge ?? of.greatestAge) * 1_000,
      renewable: renewable ?? of.renewable,
    })
    return token
  }

  revokeTokens(): void {
    this.#tokens.clear()
  }

  get liveTokens(): number {
    return [...this.#tokens.values()].filter(({ expires }) => expires > this.#now()).length
  }

  #serve(req: IncomingMessage, res: ServerResponse, text: string): void {
    const path = String(req.url).replace(/^\/v1\//, '')
    this.calls.push(`${req.method} ${path}`)
    this.headers = req.headers
    const answer = (status: number, body: Fields | string): void => {
      res.writeHead(status, { 'content-type': 'application/json', ...(status === 429 ? { 'retry-after': '7' } : {}) })
      res.end(typeof body === 'string' ? body : `${JSON.stringify(body)}\n`)
    }
    const fault = path.startsWith(this.faultAt) ? this.fault : undefined
    if (fault === 'silence') return
    if (fault !== undefined && 'body' in fault) return answer(200, fault.body)
    try {
      // Vault's texts name keys and roles.
      if (fault !== undefined) throw new VaultFault(fault.status, ...(fault.errors ?? ['refused for key secret-name']))
      answer(200, this.#act(req, path, text === '' ? {} : (JSON.parse(text) as Fields)))
    } catch (error) {
      const { status, errors } = error instanceof VaultFault ? error : new VaultFault(500, 'internal error')
      answer(status, { errors })
    }
  }

  #act(req: IncomingMessage, path: string, body: Fields): Fields {
    if (this.sealed) throw new VaultFault(503, 'Vault is sealed')
    if (req.headers['x-vault-request'] !== 'true') throw new VaultFault(412, 'missing required Vault header')
    const accepts = this.#logins.get(path)
    if (accepts !== undefined) {
      this.loginBody = body
      if (!accepts(body, req)) throw new VaultFault(400, 'invalid role or secret ID')
      return { auth: this.#authOf(this.createToken()) }
    }
    const id = String(req.headers['x-vault-token'])
    const token = this.#tokens.get(id)
    if (token === undefined || token.expires <= this.#now() || this.denied.some((prefix) => path.startsWith(prefix))) {
      throw new VaultFault(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n')
    }
    return path.startsWith('auth/token/') ? this.#tokenCall(path, id, token) : { data: this.#transit(path, body) }
  }

  #authOf(id: string): Fields {
    const { expires, renewable } = this.#tokens.get(id) ?? { expires: 0, renewable: false }
    const left = Number.isFinite(expires) ? Math.floor((expires - this.#now()) / 1_000) : 0
    return { client_token: id, lease_duration: left, renewable }
  }

  #tokenCall(path: string, id: string, token: Token): Fields {
    if (path === 'auth/token/revoke-self') {
      this.#tokens.delete(id)
      return {}
    }
    if (path === 'auth/token/lookup-self') {
      const { lease_duration: ttl, renewable } = this.#authOf(id)
      return { data: { id, ttl, creation_ttl: token.lease / 1_000, renewable } }
    }
    if (!token.renewable) throw new VaultFault(400, 'lease is not renewable')
    const end = (this.#born.get(id) ?? 0) + token.greatestAge
    token.expires = Math.min(this.#now() + token.lease, end)
    return { auth: this.#authOf(id) }
  }

  #transit(path: string, body: Fields): Fields {
    const [mount = '', operation = '', ...rest] = path.split('/')
    if (!this.#mounts.has(mount)) throw new VaultFault(404, `no handler for route "${path}"`)
    const name = rest.at(-1) ?? ''
    const key = this.#keys.get(`${mount}/${name}`)
    if (operation === 'keys') {
      if (key === undefined) throw new VaultFault(404)
      const { type, derived, convergent, versions } = key
      return {
        name,
        type,
        derived,
        latest_version: versions.length,
        ...(derived ? { convergent_encryption: convergent } : {}),
      }
    }
    if (key === undefined) throw new VaultFault(400, 'encryption key not found')
    const context = Buffer.from(String(body['context']), 'base64')
    const text = String(body['ciphertext'])
    switch (operation) {
      case 'datakey':
        return { ciphertext: encrypt(key, context, randomBytes(32)) }
      case 'encrypt':
        return { ciphertext: encrypt(key, context, Buffer.from(String(body['plaintext']), 'base64')) }
      case 'decrypt':
        return { plaintext: (this.confused ? randomBytes(32) : decrypt(key, context, text)).toString('base64') }
      case 'rewrap':
        return { ciphertext: encrypt(key, context, decrypt(key, context, text)) }
      default:
        throw new VaultFault(404, 'unsupported path')
    }
  }
}

class VaultFault extends Error {
  readonly status: number
  readonly errors: readonly string[]

  constructor(status: number, ...errors: readonly string[]) {
    super(errors.join())
    this.status = status
    this.errors = errors
  }
}

/** A key that is not derived ignores the context, as in Vault. */
function secretOf({ derived, versions }: Key, version: number, context: Buffer): Buffer {
  const secret = versions[version - 1] ?? Buffer.alloc(32)
  return derived ? createHmac('sha256', secret).update(context).digest() : secret
}

function encrypt(key: Key, context: Buffer, plaintext: Buffer): string {
  const version = key.versions.length
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secretOf(key, version, context), nonce)
  const sealed = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  return `vault:v${version}:${sealed.toString('base64')}`
}

/** As lax as Vault: `v0` is `v1`, and base64 is what Go takes for it. */
function decrypt(key: Key, context: Buffer, text: string): Buffer {
  const [, digits, base64] = /^vault:v(-?\d+):(.*)$/s.exec(text) ?? []
  if (digits === undefined || base64 === undefined) throw new VaultFault(400, 'invalid ciphertext: no prefix')
  const version = Number(digits) || 1
  if (version > key.versions.length) throw new VaultFault(400, 'invalid ciphertext: version is too new')
  if (version < key.minDecryption) {
    throw new VaultFault(400, 'ciphertext or signature version is disallowed by policy (too old)')
  }
  const sealed = Buffer.from(base64.replaceAll(/[\r\n]/g, ''), 'base64')
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new VaultFault(400, 'invalid ciphertext length')
  const decipher = createDecipheriv('aes-256-gcm', secretOf(key, version, context), sealed.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    throw new VaultFault(400, 'cipher: message authentication failed')
  }
}
