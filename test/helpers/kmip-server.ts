/** A stand-in for a KMIP server: TLS with client certificates, and of KMIP 1.2 to 1.4 what a key manager uses. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createServer, type TLSSocket } from 'node:tls'
import { KmipFault } from '../../src/keys/kmip/fault.ts'
import { bytes, enumeration, integer, structure, text, version } from '../../src/keys/kmip/messages.ts'
import { AES, OPERATION, type Operation, REASON, STATE, SYMMETRIC_KEY, TAG } from '../../src/keys/kmip/protocol.ts'
import { decode, encode, type Item, requireIn, valueIn } from '../../src/keys/kmip/ttlv.ts'
import { pem } from './pem.ts'
import { Listener } from './stand-in.ts'

interface Key {
  readonly name: string
  readonly value: Buffer
  state: keyof typeof STATE
  objectType: number
  algorithm: number
  usage: number
}

/** What becomes of the answer to an operation: another one, other bytes, none. */
export type Fault =
  | { readonly code: number }
  | { readonly payload: (items: readonly Item[]) => Item[] }
  | { readonly bytes: (answer: Buffer) => Buffer; readonly drop?: boolean }
  | 'silence'
  | 'drop'

const ENCRYPT_AND_DECRYPT = 0x0c
const IV_BYTES = 12
const OPERATIONS = Object.keys(OPERATION) as Operation[]
/** What servers write beside their result reasons. */
export const TALK = 'Could not locate object: secret-name'

export class KmipServer {
  readonly #listener: Listener
  /** By id. */
  readonly keys = new Map<string, Key>()
  /** Operations in the order in which they came. */
  readonly calls: string[] = []
  /** Connections since the start. */
  connections = 0
  /** Requests of now, and of the busiest moment. */
  busy = { now: 0, most: 0 }
  minors: readonly number[] = [4, 3, 2]
  operations: readonly Operation[] = OPERATIONS
  /** `user:password`, if it wants one. */
  credential: string | undefined
  /** Milliseconds for each answer. */
  delay = 0
  /** Forgets associated data. */
  lax = false
  fault: Fault | undefined
  faultAt: Operation | undefined

  constructor() {
    const tls = {
      cert: pem('cert'),
      key: pem('key'),
      ca: pem('other-cert'),
      requestCert: true,
      rejectUnauthorized: true,
    }
    const server = createServer(tls, (socket) => this.#serve(socket))
    this.#listener = new Listener(server.on('tlsClientError', () => undefined))
  }

  /** After `stop` it comes back where it was. */
  start(): Promise<number> {
    return this.#listener.start()
  }

  get port(): number {
    return this.#listener.port
  }

  stop(): Promise<void> {
    return this.#listener.stop()
  }

  dropConnections(): void {
    this.#listener.dropConnections()
  }

  /** Everything as at the start, but for the keys. */
  reset(): void {
    Object.assign(this, { minors: [4, 3, 2], operations: OPERATIONS, credential: undefined, delay: 0, lax: false })
    Object.assign(this, { fault: undefined, faultAt: undefined, connections: 0, busy: { now: 0, most: 0 } })
    this.calls.length = 0
  }

  /** An AES-256 key in use; returns its id. */
  createKey(name: string, more: Partial<Key> = {}): string {
    const id = `id-${this.keys.size + 1}`
    const kind = { objectType: SYMMETRIC_KEY, algorithm: AES, usage: ENCRYPT_AND_DECRYPT }
    this.keys.set(id, { name, value: randomBytes(32), state: 'Active', ...kind, ...more })
    return id
  }

  set(id: string, change: Partial<Key>): void {
    Object.assign(this.keys.get(id) ?? {}, change)
  }

  #serve(socket: TLSSocket): void {
    this.connections += 1
    let held = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('data', (piece) => {
      held = Buffer.concat([held, piece])
      if (held.length < 8 || held.length < 8 + held.readUInt32BE(4)) return
      const request = held
      held = Buffer.alloc(0)
      this.busy.now += 1
      this.busy.most = Math.max(this.busy.most, this.busy.now)
      setTimeout(() => {
        this.busy.now -= 1
        this.#answer(socket, request)
      }, this.delay)
    })
  }

  #answer(socket: TLSSocket, request: Buffer): void {
    const message = requireIn([decode(request)], TAG.requestMessage, 'structure')
    const header = requireIn(message, TAG.requestHeader, 'structure')
    const minor = requireIn(requireIn(header, TAG.protocolVersion, 'structure'), TAG.versionMinor, 'integer')
    const item = requireIn(message, TAG.batchItem, 'structure')
    const code = requireIn(item, TAG.operation, 'enumeration')
    const operation = OPERATIONS.find((name) => OPERATION[name] === code) ?? 'Query'
    this.calls.push(operation)
    const fault = this.faultAt === undefined || this.faultAt === operation ? this.fault : undefined
    if (fault === 'silence') return
    if (fault === 'drop') return void socket.destroy()
    const render = (...result: readonly Item[]): Buffer =>
      encode(
        structure(
          TAG.responseMessage,
          structure(TAG.responseHeader, version(minor), integer(TAG.batchCount, 1)),
          structure(
            TAG.batchItem,
            enumeration(TAG.operation, code),
            bytes(TAG.batchItemId, requireIn(item, TAG.batchItemId, 'bytes')),
            ...result,
          ),
        ),
      )
    let answer: Buffer
    try {
      if (fault !== undefined && 'code' in fault) throw refusal(fault.code)
      const payload = this.#perform(operation, minor, header, requireIn(item, TAG.requestPayload, 'structure'))
      const given = fault !== undefined && 'payload' in fault ? fault.payload(payload) : payload
      answer = render(enumeration(TAG.resultStatus, 0), structure(TAG.responsePayload, ...given))
    } catch (error) {
      const reason = error instanceof KmipFault && 'code' in error.fault ? error.fault.code : REASON.GeneralFailure
      answer = render(enumeration(TAG.resultStatus, 1), enumeration(TAG.resultReason, reason), text(0x42007d, TALK))
    }
    if (fault === undefined || !('bytes' in fault)) return void socket.write(answer)
    socket.write(fault.bytes(answer), () => {
      if (fault.drop === true) socket.destroy()
    })
  }

  #perform(operation: Operation, minor: number, header: readonly Item[], payload: readonly Item[]): Item[] {
    if (!this.minors.includes(minor)) throw refusal(REASON.InvalidMessage)
    if (this.credential !== undefined && credentialIn(header) !== this.credential) {
      throw refusal(REASON.AuthenticationNotSuccessful)
    }
    if (!this.operations.includes(operation)) throw refusal(REASON.OperationNotSupported)
    if (operation === 'DiscoverVersions') return this.minors.map(version)
    if (operation === 'Query') return this.operations.map((name) => enumeration(TAG.operation, OPERATION[name]))
    if (operation === 'Locate') return this.#locate(payload)
    const id = requireIn(payload, TAG.uniqueIdentifier, 'text')
    const key = this.#key(id)
    const answer = { GetAttributes: attributes, Get: this.#get, Encrypt: this.#encrypt, Decrypt: this.#decrypt }[
      operation
    ]
    return [text(TAG.uniqueIdentifier, id), ...answer.call(this, key, payload)]
  }

  #key(id: string): Key {
    const key = this.keys.get(id)
    if (key === undefined) throw refusal(REASON.ItemNotFound)
    return key
  }

  #locate(payload: readonly Item[]): Item[] {
    const values = payload.flatMap((item) =>
      item.tag === TAG.attribute ? [requireIn([item], item.tag, 'structure')] : [],
    )
    const named = values.find((fields) => requireIn(fields, TAG.attributeName, 'text') === 'Name') ?? []
    const name = requireIn(requireIn(named, TAG.attributeValue, 'structure'), TAG.nameValue, 'text')
    const found = [...this.keys].filter(([, key]) => key.name === name && key.objectType === SYMMETRIC_KEY)
    return found.slice(0, requireIn(payload, TAG.maximumItems, 'integer')).map(([id]) => text(TAG.uniqueIdentifier, id))
  }

  #get({ value }: Key, payload: readonly Item[]): Item[] {
    const specification = requireIn(payload, TAG.keyWrappingSpecification, 'structure')
    const information = requireIn(specification, TAG.encryptionKeyInformation, 'structure')
    const wrapping = this.#key(requireIn(information, TAG.uniqueIdentifier, 'text'))
    if (wrapping.state !== 'Active') throw refusal(REASON.PermissionDenied)
    const cipher = createCipheriv('id-aes256-wrap', wrapping.value, Buffer.alloc(8, 0xa6))
    const wrapped = Buffer.concat([cipher.update(value), cipher.final()])
    const block = structure(
      TAG.keyBlock,
      enumeration(TAG.keyFormatType, 1),
      structure(TAG.keyValue, bytes(TAG.keyMaterial, wrapped)),
      structure(TAG.keyWrappingData, enumeration(TAG.wrappingMethod, 1)),
    )
    return [structure(TAG.symmetricKey, block)]
  }

  #encrypt({ value, state }: Key, payload: readonly Item[]): Item[] {
    if (state !== 'Active') throw refusal(REASON.PermissionDenied)
    const iv = requireIn(payload, TAG.iv, 'bytes')
    const cipher = createCipheriv('aes-256-gcm', value, iv)
    cipher.setAAD(this.#aad(payload))
    const ciphertext = Buffer.concat([cipher.update(requireIn(payload, TAG.data, 'bytes')), cipher.final()])
    return [bytes(TAG.data, ciphertext), bytes(TAG.authenticationTag, cipher.getAuthTag())]
  }

  #decrypt({ value, state }: Key, payload: readonly Item[]): Item[] {
    if (state !== 'Active') throw refusal(REASON.PermissionDenied)
    const iv = requireIn(payload, TAG.iv, 'bytes')
    if (iv.length !== IV_BYTES) throw refusal(REASON.InvalidField)
    const decipher = createDecipheriv('aes-256-gcm', value, iv)
    decipher.setAAD(this.#aad(payload))
    decipher.setAuthTag(requireIn(payload, TAG.authenticationTag, 'bytes'))
    return [bytes(TAG.data, Buffer.concat([decipher.update(requireIn(payload, TAG.data, 'bytes')), decipher.final()]))]
  }

  #aad(payload: readonly Item[]): Buffer {
    return this.lax ? Buffer.alloc(0) : requireIn(payload, TAG.additionalData, 'bytes')
  }
}

const refusal = (code: number): KmipFault => new KmipFault({ operation: 'Query', code })

function attributes({ objectType, algorithm, value, usage, state }: Key): Item[] {
  const one = (name: string, item: Item): Item => structure(TAG.attribute, text(TAG.attributeName, name), item)
  return [
    one('Object Type', enumeration(TAG.attributeValue, objectType)),
    one('Cryptographic Algorithm', enumeration(TAG.attributeValue, algorithm)),
    one('Cryptographic Length', integer(TAG.attributeValue, value.length * 8)),
    one('Cryptographic Usage Mask', integer(TAG.attributeValue, usage)),
    one('State', enumeration(TAG.attributeValue, STATE[state])),
  ]
}

function credentialIn(header: readonly Item[]): string | undefined {
  const authentication = valueIn(header, TAG.authentication, 'structure')
  if (authentication === undefined) return undefined
  const value = requireIn(requireIn(authentication, TAG.credential, 'structure'), TAG.credentialValue, 'structure')
  return `${requireIn(value, TAG.username, 'text')}:${requireIn(value, TAG.password, 'text')}`
}
