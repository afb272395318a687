/** A stand-in for Google Cloud KMS: its REST protocol, keys with versions, checksums, and bearer tokens that a service account signed itself. */
import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerOptions } from 'node:https'
import { crc32 } from 'hash-wasm'
import { HttpListener } from './stand-in.ts'

type Fields = Readonly<Record<string, unknown>>

interface Version {
  readonly number: number
  readonly secret: Buffer
  state: 'ENABLED' | 'DISABLED' | 'DESTROYED'
}

/** What becomes of a request before it is looked at: a failure of that status, silence, a page of a proxy, or an answer damaged on its way. */
export type GcpFault =
  | { readonly http: number; readonly status: string }
  | 'silence'
  | 'garbage'
  | 'damaged answer'
  | 'unverified'

const EMAIL = 'gateway@secret-project.iam.gserviceaccount.com'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 4

export const keyNameOf = (key: string): string =>
  `projects/secret-project/locations/eu/keyRings/secret-ring/cryptoKeys/${key}`

export class GcpServer {
  readonly #listener: HttpListener
  readonly #keys = new Map<string, Version[]>()
  readonly #account = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  /** Such as `encrypt`, in the order in which they came. */
  readonly calls: string[] = []
  /** In base64, of requests to encrypt. */
  readonly plaintexts: string[] = []
  /** The body of the last request. */
  body: Fields = {}
  fault: GcpFault | undefined
  /** Whether another key's plaintext is given. */
  confused = false
  /** Requests that nobody waits for any more. */
  abandoned = 0
  /** What the identity may not do. */
  readonly forbidden = new Set<string>()

  constructor({ tls }: { readonly tls?: ServerOptions } = {}) {
    this.#listener = new HttpListener((req, res, body) => this.#serve(req, res, body), tls)
  }

  /** A server that was stopped comes back at its old address. */
  async start(): Promise<string> {
    await this.#listener.start()
    return this.#listener.url
  }

  stop(): Promise<void> {
    return this.#listener.stop()
  }

  /** A new version of the key, which is then its primary one. */
  createKey(key: string): Version {
    const versions = this.#keys.get(key) ?? []
    const version: Version = { number: versions.length + 1, secret: randomBytes(32), state: 'ENABLED' }
    this.#keys.set(key, [...versions, version])
    return version
  }

  primary(key: string): Version {
    const version = this.#keys.get(key)?.at(-1)
    if (version === undefined) throw new Error(`there is no key ${key}`)
    return version
  }

  deleteKey(key: string): void {
    this.#keys.delete(key)
  }

  /** A key file of a service account that the service knows. */
  credentials(): string {
    return JSON.stringify({
      type: 'service_account',
      project_id: 'secret-project',
      private_key_id: 'id-1',
      private_key: this.#account.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: EMAIL,
      client_id: '1',
      token_uri: 'http://127.0.0.1:1/token',
    })
  }

  async #serve(req: IncomingMessage, res: ServerResponse, body: string): Promise<void> {
    const [, key = '', action = ''] = /\/cryptoKeys\/([\w-]+):(\w+)/.exec(req.url ?? '') ?? []
    this.calls.push(action)
    const { fault } = this
    if (fault === 'silence') return void res.on('close', () => (this.abandoned += 1))
    if (fault === 'garbage') return void res.writeHead(200, { 'content-type': 'text/html' }).end('<html>a proxy</html>')
    try {
      if (typeof fault === 'object') throw new GcpRefusal(fault.http, fault.status)
      if (!this.#knows(req.headers.authorization)) throw new GcpRefusal(401, 'UNAUTHENTICATED')
      if (this.forbidden.has(action)) throw new GcpRefusal(403, 'PERMISSION_DENIED')
      this.body = JSON.parse(body) as Fields
      answer(res, 200, await this.#act(key, action, this.body))
    } catch (error) {
      const { http, status } = error instanceof GcpRefusal ? error : new GcpRefusal(500, 'INTERNAL')
      // Google's messages name keys and permissions.
      const message = `Permission 'cloudkms.x' denied on resource '${keyNameOf(key)}'`
      answer(res, http, { error: { code: http, status, message } })
    }
  }

  #knows(authorization: string | undefined): boolean {
    const [head = '', claims = '', signature = ''] = authorization?.replace('Bearer ', '').split('.') ?? []
    const signed = verify(
      'sha256',
      Buffer.from(`${head}.${claims}`),
      this.#account.publicKey,
      Buffer.from(signature, 'base64url'),
    )
    const { iss } = signed ? (JSON.parse(Buffer.from(claims, 'base64url').toString()) as Fields) : {}
    return iss === EMAIL
  }

  async #act(key: string, action: string, input: Fields): Promise<Fields> {
    const versions = this.#keys.get(key)
    if (versions === undefined) throw new GcpRefusal(404, 'NOT_FOUND')
    const context = bytesOf(input['additionalAuthenticatedData'])
    await requireSum(input, 'additionalAuthenticatedData')
    if (action === 'encrypt') {
      await requireSum(input, 'plaintext')
      this.plaintexts.push(String(input['plaintext']))
      const primary = usable(versions.at(-1))
      const ciphertext = seal(primary, bytesOf(input['plaintext']), context)
      const verified = this.fault !== 'unverified'
      return {
        name: `${keyNameOf(key)}/cryptoKeyVersions/${primary.number}`,
        ciphertext: this.#carried(ciphertext),
        ciphertextCrc32c: await sumOf(ciphertext),
        verifiedPlaintextCrc32c: verified,
        verifiedAdditionalAuthenticatedDataCrc32c: verified,
        protectionLevel: 'SOFTWARE',
      }
    }
    await requireSum(input, 'ciphertext')
    const opened = unseal(versions, bytesOf(input['ciphertext']), context)
    const plaintext = this.confused ? randomBytes(opened.length) : opened
    return { plaintext: this.#carried(plaintext), plaintextCrc32c: await sumOf(plaintext), usedPrimary: true }
  }

  #carried(bytes: Buffer): string {
    const copy = Buffer.from(bytes)
    if (this.fault === 'damaged answer') copy[0] = (copy[0] ?? 0) ^ 1
    return copy.toString('base64')
  }
}

function seal({ number, secret }: Version, plaintext: Buffer, context: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32BE(number)
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(context)
  return Buffer.concat([head, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function unseal(versions: readonly Version[], sealed: Buffer, context: Buffer): Buffer {
  if (sealed.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES) throw new GcpRefusal(400, 'INVALID_ARGUMENT')
  const version = versions[sealed.readUInt32BE(0) - 1]
  if (version === undefined) throw new GcpRefusal(400, 'INVALID_ARGUMENT')
  const { secret } = usable(version)
  const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES))
  decipher.setAAD(context).setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    throw new GcpRefusal(400, 'INVALID_ARGUMENT')
  }
}

function usable(version: Version | undefined): Version {
  if (version?.state === 'ENABLED') return version
  throw new GcpRefusal(400, 'FAILED_PRECONDITION')
}

const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64')

/** As JSON writes an int64. */
const sumOf = async (bytes: Buffer): Promise<string> => String(Number.parseInt(await crc32(bytes, 0x82f63b78), 16))

async function requireSum(input: Fields, name: string): Promise<void> {
  const sum = input[`${name}Crc32c`]
  if (String(sum) !== (await sumOf(bytesOf(input[name])))) throw new GcpRefusal(400, 'INVALID_ARGUMENT')
}

function answer(res: ServerResponse, status: number, body: Fields): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

class GcpRefusal extends Error {
  readonly http: number
  readonly status: string

  constructor(http: number, status: string) {
    super(status)
    this.http = http
    this.status = status
  }
}
