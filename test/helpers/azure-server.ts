/**
 * A stand-in for Azure: keys of a vault (RSA) and of a Managed HSM (AES), their versions, the challenge, and the endpoint of Microsoft Entra ID
 * that gives tokens for a client's secret, certificate or federated token. Over TLS, as the SDK wants it.
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pem, pemFile } from './pem.ts'
import { signDigest } from './pss.ts'
import { HttpListener } from './stand-in.ts'

type Fields = Readonly<Record<string, unknown>>

interface Version {
  readonly id: string
  readonly rsa?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  readonly aes?: Buffer
  enabled: boolean
  operations: readonly string[]
  expires?: number
}

/** What becomes of a request for a key before it is looked at. */
export type AzureFault =
  | { readonly status: number; readonly code: string; readonly inner?: string; readonly retryAfter?: number }
  | 'silence'
  | 'garbage'

export const TENANT = 'b7a1c1de-0000-4000-8000-00000000cafe'
export const CLIENT = 'c11e47c1-0000-4000-8000-00000000beef'
const RSA_OPERATIONS = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']
const AES_OPERATIONS = ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']
const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }

export class AzureServer {
  readonly caFile = pemFile('cert')
  readonly #listener = new HttpListener((req, res, body) => this.#serve(req, res, body), {
    cert: pem('cert'),
    key: pem('key'),
  })
  readonly #keys = new Map<string, Version[]>()
  readonly #tokens = new Set<string>()
  /** Such as `wrapKey`, `get`, `token` or `challenge`, in the order in which they came. */
  readonly calls: string[] = []
  /** Forms that were sent for a token. */
  readonly logins: URLSearchParams[] = []
  /** The secret of the client; a request with another is refused. */
  secret = 'azure-client-secret'
  fault: AzureFault | undefined
  /** Whether the vault takes the tokens that were given. */
  takesTokens = true
  /** Whether the endpoint for tokens says 503. */
  loginFails = false
  /** Whether the endpoint for tokens hangs. */
  loginHangs = false
  /** Whether another key's plaintext is given. */
  confused = false
  /** Whether what is wrapped has a byte too few. */
  curt = false

  /** A server that was stopped comes back at its old address. */
  async start(): Promise<string> {
    await this.#listener.start()
    return this.#url
  }

  stop(): Promise<void> {
    return this.#listener.stop()
  }

  get #url(): string {
    return this.#listener.url
  }

  /** A new version of the key, which is then its newest. */
  createKey(name: string, kind: 'rsa' | 'aes' = 'rsa', modulusLength = 2_048): Version {
    const version: Version = {
      id: randomBytes(16).toString('hex'),
      enabled: true,
      operations: kind === 'rsa' ? RSA_OPERATIONS : AES_OPERATIONS,
      ...(kind === 'rsa' ? { rsa: generateKeyPairSync('rsa', { modulusLength }) } : { aes: randomBytes(32) }),
    }
    this.#keys.set(name, [...(this.#keys.get(name) ?? []), version])
    return version
  }

  newest(name: string): Version {
    return this.#find(name)
  }

  deleteKey(name: string): void {
    this.#keys.delete(name)
  }

  /** What anybody can do who knows the public key. */
  wrapAsStranger(name: string, key: Buffer): Buffer {
    return publicEncrypt({ key: this.#find(name).rsa?.publicKey ?? '', ...OAEP }, key)
  }

  #serve(req: IncomingMessage, res: ServerResponse, body: string): void {
    const { pathname } = new URL(req.url ?? '', this.#url)
    try {
      if (pathname.startsWith(`/${TENANT}/`)) this.#login(pathname, body, res)
      else this.#vault(req, pathname, body, res)
    } catch (error) {
      const { status, code, inner } = error instanceof AzureRefusal ? error : new AzureRefusal(500, 'InternalError')
      // Azure's messages name keys, vaults and callers.
      const message = `Caller: appid=${CLIENT};oid=secret-oid; Vault: secret-vault-name; key secret-key-name`
      answer(res, status, { error: { code, message, ...(inner === undefined ? {} : { innererror: { code: inner } }) } })
    }
  }

  #login(pathname: string, body: string, res: ServerResponse): void {
    const base = `${this.#url}/${TENANT}`
    if (pathname.endsWith('/openid-configuration')) {
      return answer(res, 200, {
        issuer: `${base}/v2.0`,
        authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
        jwks_uri: `${base}/keys`,
      })
    }
    if (this.loginHangs) return
    this.calls.push('token')
    if (this.loginFails) return answer(res, 503, { error: 'temporarily_unavailable' })
    const form = new URLSearchParams(body)
    this.logins.push(form)
    const [secret, assertion] = [form.get('client_secret'), form.get('client_assertion')]
    const known = assertion === null ? secret === this.secret : assertion.split('.').length === 3
    if (
      form.get('client_id') !== CLIENT ||
      !known ||
      form.get('scope')?.includes('https://vault.azure.net/.default') !== true
    ) {
      const description = `AADSTS7000215: Invalid client secret provided for app '${CLIENT}' secret-app-name.`
      return answer(res, 401, { error: 'invalid_client', error_description: description, error_codes: [7000215] })
    }
    const token = `azure-token-${randomBytes(8).toString('hex')}`
    this.#tokens.add(token)
    answer(res, 200, { token_type: 'Bearer', expires_in: 3_599, ext_expires_in: 3_599, access_token: token })
  }

  #vault(req: IncomingMessage, pathname: string, body: string, res: ServerResponse): void {
    const token = req.headers.authorization?.replace('Bearer ', '') ?? ''
    if (!this.takesTokens || !this.#tokens.has(token)) {
      this.calls.push('challenge')
      const where = `authorization="${this.#url}/${TENANT}", resource="https://vault.azure.net"`
      res.setHeader('www-authenticate', `Bearer ${where}`)
      throw new AzureRefusal(401, 'Unauthorized')
    }
    const [, , name = '', version, operation = 'get'] = pathname.split('/')
    this.calls.push(operation)
    if (this.fault === 'silence') return
    if (this.fault === 'garbage')
      return void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>a proxy</html>')
    if (this.fault !== undefined) {
      if (this.fault.retryAfter !== undefined) res.setHeader('retry-after', String(this.fault.retryAfter))
      throw new AzureRefusal(this.fault.status, this.fault.code, this.fault.inner)
    }
    const key = this.#find(name, version === '' ? undefined : version)
    if (operation === 'get') return answer(res, 200, this.#bundle(name, key))
    const kid = `${this.#url}/keys/${name}/${key.id}`
    answer(res, 200, { kid, ...this.#bent(operation, operate(operation, key, JSON.parse(body) as Fields)) })
  }

  #bent(operation: string, fields: Fields): Fields {
    const opens = operation === 'unwrapkey' || operation === 'decrypt'
    if (opens && this.confused) return { ...fields, ...result(randomBytes(32)) }
    return !opens && this.curt ? { ...fields, ...result(bytesOf(fields['value']).subarray(1)) } : fields
  }

  /** Tokens that were given are none any more. */
  revokeTokens(): void {
    this.#tokens.clear()
  }

  #find(name: string, version?: string): Version {
    const versions = this.#keys.get(name) ?? []
    const found = version === undefined ? versions.at(-1) : versions.find(({ id }) => id === version)
    if (found === undefined) throw new AzureRefusal(404, 'KeyNotFound')
    return found
  }

  #bundle(name: string, { id, rsa, operations, enabled, expires }: Version): Fields {
    const { n, e } = rsa?.publicKey.export({ format: 'jwk' }) ?? {}
    const kid = `${this.#url}/keys/${name}/${id}`
    const key =
      rsa === undefined ? { kid, kty: 'oct-HSM', key_ops: operations } : { kid, kty: 'RSA', key_ops: operations, n, e }
    return { key, attributes: { enabled, ...(expires === undefined ? {} : { exp: expires }), created: 1_700_000_000 } }
  }
}

const NEEDED: Readonly<Record<string, string>> = { wrapkey: 'wrapKey', unwrapkey: 'unwrapKey' }

function operate(operation: string, key: Version, input: Fields): Fields {
  if (!key.enabled) throw new AzureRefusal(403, 'Forbidden', 'KeyDisabled')
  if (!key.operations.includes(NEEDED[operation] ?? operation))
    throw new AzureRefusal(403, 'Forbidden', 'KeyOperationForbidden')
  const { rsa, aes } = key
  const value = bytesOf(input['value'])
  const asked = `${operation} ${String(input['alg'])}`
  if (rsa !== undefined && asked === 'wrapkey RSA-OAEP-256')
    return result(publicEncrypt({ key: rsa.publicKey, ...OAEP }, value))
  if (rsa !== undefined && asked === 'sign PS256') return result(signDigest(rsa.privateKey, value))
  if (rsa !== undefined && asked === 'unwrapkey RSA-OAEP-256') {
    return refusing(() => result(privateDecrypt({ key: rsa.privateKey, ...OAEP }, value)))
  }
  if (aes !== undefined && asked === 'encrypt A256GCM') {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', aes, iv).setAAD(bytesOf(input['aad']))
    const sealed = Buffer.concat([cipher.update(value), cipher.final()])
    return { ...result(sealed), iv: iv.toString('base64url'), tag: cipher.getAuthTag().toString('base64url') }
  }
  if (aes !== undefined && asked === 'decrypt A256GCM') {
    return refusing(() => {
      const decipher = createDecipheriv('aes-256-gcm', aes, bytesOf(input['iv'])).setAAD(bytesOf(input['aad']))
      decipher.setAuthTag(bytesOf(input['tag']))
      return result(Buffer.concat([decipher.update(value), decipher.final()]))
    })
  }
  throw new AzureRefusal(400, 'BadParameter')
}

function refusing(work: () => Fields): Fields {
  try {
    return work()
  } catch {
    throw new AzureRefusal(400, 'BadParameter')
  }
}

const result = (bytes: Buffer): Fields => ({ value: bytes.toString('base64url') })

const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64url')

function answer(res: ServerResponse, status: number, body: Fields): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

class AzureRefusal extends Error {
  readonly status: number
  readonly code: string
  readonly inner: string | undefined

  constructor(status: number, code: string, inner?: string) {
    super(code)
    this.status = status
    this.code = code
    this.inner = inner
  }
}
