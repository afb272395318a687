/** A stand-in for AWS KMS: its JSON protocol over HTTP, symmetric keys in memory, ciphertexts bound to their encryption context as KMS binds them. */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerOptions } from 'node:https'
import { minted } from './outputs.ts'
import { HttpListener } from './stand-in.ts'

type Fields = Readonly<Record<string, unknown>>

interface Key {
  readonly id: string
  readonly arn: string
  readonly secret: Buffer
  state: 'Enabled' | 'Disabled' | 'PendingDeletion'
}

/** What becomes of a request before it is looked at: a failure of that name and status, silence, or an answer of something else than KMS. */
export type Fault = { readonly name: string; readonly status: number } | 'silence' | { readonly body: string }

const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_NUMBER_BYTES = 4

export class KmsServer {
  readonly #listener: HttpListener
  readonly #region: string
  readonly #account: string
  readonly #keys: Key[] = []
  readonly #aliases = new Map<string, Key>()
  /** Actions in the order in which they came, such as `GenerateDataKey`. */
  readonly calls: string[] = []
  /** Headers of the last request. */
  headers: IncomingMessage['headers'] = {}
  fault: Fault | undefined
  /** Actions that no caller is allowed. */
  denied: string[] = []
  /** Decrypt gives the plaintext of some other key. */
  confused = false

  constructor({ tls, region = 'eu-central-1' }: { readonly tls?: ServerOptions; readonly region?: string } = {}) {
    this.#listener = new HttpListener((req, res, body) => this.#serve(req, res, body), tls)
    this.#region = region
    this.#account = `arn:aws:kms:${region}:111122223333`
  }

  /** After `stop` it comes back where it was. */
  async start(): Promise<string> {
    await this.#listener.start()
    return this.#listener.url
  }

  stop(): Promise<void> {
    return this.#listener.stop()
  }

  /** A new key, which `alias` then stands for. Returns its ARN. */
  createKey(alias: string): string {
    const id = randomUUID()
    const key: Key = {
      id,
      arn: `${this.#account}:key/${id}`,
      secret: minted('a key of KMS', randomBytes(32)),
      state: 'Enabled',
    }
    this.#keys.push(key)
    this.#aliases.set(alias, key)
    return key.arn
  }

  setState(arn: string, state: Key['state']): void {
    this.#find(arn).state = state
  }

  #serve(req: IncomingMessage, res: ServerResponse, body: string): void {
    const action = String(req.headers['x-amz-target']).replace('TrentService.', '')
    this.calls.push(action)
    this.headers = req.headers
    if (this.fault === 'silence') return
    if (this.fault !== undefined && 'body' in this.fault) return this.#send(res, 200, this.fault.body)
    try {
      this.#allow(action)
      if (this.fault !== undefined) throw new KmsFault(this.fault.name, this.fault.status)
      this.#answer(res, 200, this.#act(action, JSON.parse(body) as Fields))
    } catch (error) {
      const { name, status } = error instanceof KmsFault ? error : new KmsFault('KMSInternalException', 500)
      // AWS's messages name keys and callers.
      this.#answer(res, status, { __type: name, message: `refused for ${this.#account}:key/secret-name` })
    }
  }

  #answer(res: ServerResponse, status: number, body: Fields): void {
    this.#send(res, status, JSON.stringify(body))
  }

  #send(res: ServerResponse, status: number, body: string): void {
    res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(body)
  }

  /** Of a ciphertext KMS does not tell whether its key is missing, in another region, or not allowed. */
  #allow(action: string): void {
    const near = String(this.headers.authorization).includes(`/${this.#region}/kms/`)
    if (!near) throw new KmsFault(action === 'Decrypt' ? 'AccessDeniedException' : 'NotFoundException', 400)
    if (this.denied.includes(action)) throw new KmsFault('AccessDeniedException', 400)
  }

  #act(action: string, input: Fields): Fields {
    switch (action) {
      case 'GenerateDataKey': {
        const plaintext = randomBytes(32)
        return {
          Plaintext: plaintext.toString('base64'),
          ...this.#encrypt(input['KeyId'], plaintext, input['EncryptionContext']),
        }
      }
      case 'Encrypt':
        return this.#encrypt(input['KeyId'], bytesOf(input['Plaintext']), input['EncryptionContext'])
      case 'Decrypt': {
        const { key, plaintext } = this.#decrypt(input['CiphertextBlob'], input['EncryptionContext'])
        return { KeyId: key.arn, Plaintext: (this.confused ? randomBytes(32) : plaintext).toString('base64') }
      }
      case 'ReEncrypt': {
        const { key, plaintext } = this.#decrypt(input['CiphertextBlob'], input['SourceEncryptionContext'])
        const made = this.#encrypt(input['DestinationKeyId'], plaintext, input['DestinationEncryptionContext'])
        return { ...made, SourceKeyId: key.arn }
      }
      case 'DescribeKey': {
        const key = this.#find(input['KeyId'])
        return { KeyMetadata: { KeyId: key.id, Arn: key.arn, Enabled: key.state === 'Enabled', KeyState: key.state } }
      }
      default:
        throw new KmsFault('UnknownOperationException', 400)
    }
  }

  #find(name: unknown): Key {
    const key = this.#aliases.get(String(name)) ?? this.#keys.find(({ id, arn }) => id === name || arn === name)
    if (key === undefined) throw new KmsFault('NotFoundException', 400)
    return key
  }

  #encrypt(name: unknown, plaintext: Buffer, context: unknown): Fields {
    const key = usable(this.#find(name))
    const nonce = randomBytes(NONCE_BYTES)
    const number = Buffer.alloc(KEY_NUMBER_BYTES)
    number.writeUInt32BE(this.#keys.indexOf(key))
    const cipher = createCipheriv('aes-256-gcm', key.secret, nonce).setAAD(canonical(context))
    const sealed = Buffer.concat([number, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    return { KeyId: key.arn, CiphertextBlob: sealed.toString('base64') }
  }

  #decrypt(text: unknown, context: unknown): { readonly key: Key; readonly plaintext: Buffer } {
    const sealed = bytesOf(text)
    if (sealed.length < KEY_NUMBER_BYTES + NONCE_BYTES + TAG_BYTES)
      throw new KmsFault('InvalidCiphertextException', 400)
    const key = this.#keys[sealed.readUInt32BE(0)]
    // As where a permission is missing.
    if (key === undefined) throw new KmsFault('AccessDeniedException', 400)
    const body = sealed.subarray(KEY_NUMBER_BYTES + NONCE_BYTES, -TAG_BYTES)
    const nonce = sealed.subarray(KEY_NUMBER_BYTES, KEY_NUMBER_BYTES + NONCE_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', usable(key).secret, nonce)
    decipher.setAAD(canonical(context)).setAuthTag(sealed.subarray(-TAG_BYTES))
    try {
      return { key, plaintext: Buffer.concat([decipher.update(body), decipher.final()]) }
    } catch {
      throw new KmsFault('InvalidCiphertextException', 400)
    }
  }
}

class KmsFault extends Error {
  override readonly name: string
  readonly status: number

  constructor(name: string, status: number) {
    super(name)
    this.name = name
    this.status = status
  }
}

function usable(key: Key): Key {
  if (key.state === 'Disabled') throw new KmsFault('DisabledException', 400)
  if (key.state === 'PendingDeletion') throw new KmsFault('KMSInvalidStateException', 400)
  return key
}

const bytesOf = (text: unknown): Buffer => Buffer.from(String(text), 'base64')

const canonical = (context: unknown): Buffer =>
  Buffer.from(JSON.stringify(Object.entries((context ?? {}) as Fields).toSorted(([a], [b]) => (a < b ? -1 : 1))))
