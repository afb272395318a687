/** Operations of KMIP, each a request and its answer (KMIP 1.4, chapter 4). */
import type { RandomSource } from '../../format/derive.ts'
import { ownCopy } from '../../secret-bytes.ts'
import { KmipFault } from './fault.ts'
import {
  bytes,
  type Credential,
  enumeration,
  integer,
  parseResponse,
  renderRequest,
  structure,
  text,
  version,
} from './messages.ts'
import type { KmipPool } from './pool.ts'
import {
  AES,
  GCM,
  MINOR_WITH_AAD,
  MINORS,
  NIST_KEY_WRAP,
  NO_ENCODING,
  OPERATION,
  type Operation,
  QUERY_OPERATIONS,
  RAW,
  REASON,
  SYMMETRIC_KEY,
  TAG,
  UNINTERPRETED_TEXT,
  WRAP_BY_ENCRYPTING,
} from './protocol.ts'
import { type Item, requireIn, valueIn } from './ttlv.ts'

export interface ClientParts {
  readonly pool: Pick<KmipPool, 'exchange' | 'close'>
  readonly credential?: Credential | undefined
  readonly random: RandomSource
}

/** What is sealed, and what the seal is made of. */
export interface Sealed {
  readonly iv: Buffer
  readonly ciphertext: Buffer
  readonly tag: Buffer
}

/** Those of a key that matter. */
export interface Attributes {
  readonly objectType: number | undefined
  readonly algorithm: number | undefined
  readonly length: number | undefined
  readonly usage: number | undefined
  readonly state: number | undefined
}

const ID_BYTES = 8
export const TAG_BYTES = 16

/** What a server says to a version that it does not speak. */
const OTHER_VERSION = [REASON.InvalidMessage, REASON.UnsupportedProtocolVersion, REASON.InvalidField]

/** Its methods throw `KmipFault`; `signal` ends them. Bytes that they return are copies. */
export class KmipClient {
  readonly #parts: ClientParts
  /** The minor version that is spoken; `undefined` while nobody has asked. */
  #minor: number | undefined

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  /** Asks again for versions at the next call: servers are replaced by newer and older ones. */
  forgetVersion(): void {
    this.#minor = undefined
  }

  async speaksAad(signal: AbortSignal): Promise<boolean> {
    return (await this.#version(signal)) >= MINOR_WITH_AAD
  }

  /** Names of those among `wanted` that the server does not say it has. */
  async lacking(wanted: readonly Operation[], signal: AbortSignal): Promise<Operation[]> {
    const query = [enumeration(TAG.queryFunction, QUERY_OPERATIONS)]
    return this.#call('Query', query, signal, (payload) => {
      const found = new Set(payload.map((item) => (item.tag === TAG.operation ? item.value : undefined)))
      return wanted.filter((name) => !found.has(OPERATION[name]))
    })
  }

  /** Ids of the symmetric keys of that name, two at most. */
  async locate(name: string, signal: AbortSignal): Promise<string[]> {
    const payload = [
      integer(TAG.maximumItems, 2),
      attribute('Object Type', enumeration(TAG.attributeValue, SYMMETRIC_KEY)),
      attribute(
        'Name',
        structure(TAG.attributeValue, text(TAG.nameValue, name), enumeration(TAG.nameType, UNINTERPRETED_TEXT)),
      ),
    ]
    return this.#call('Locate', payload, signal, (found) =>
      found
        .filter((item) => item.tag === TAG.uniqueIdentifier)
        .map((item) => requireIn([item], TAG.uniqueIdentifier, 'text')),
    )
  }

  async attributes(id: string, signal: AbortSignal): Promise<Attributes> {
    const names = Object.values(ATTRIBUTES).map((name) => text(TAG.attributeName, name))
    return this.#call('GetAttributes', [text(TAG.uniqueIdentifier, id), ...names], signal, (payload) => {
      requireId(payload, id)
      const found = payload.filter((item) => item.tag === TAG.attribute)
      return {
        objectType: attributeIn(found, ATTRIBUTES.objectType, 'enumeration'),
        algorithm: attributeIn(found, ATTRIBUTES.algorithm, 'enumeration'),
        length: attributeIn(found, ATTRIBUTES.length, 'integer'),
        usage: attributeIn(found, ATTRIBUTES.usage, 'integer'),
        state: attributeIn(found, ATTRIBUTES.state, 'enumeration'),
      }
    })
  }

  /** By AES-GCM, with `aad` as associated data. */
  async encrypt(id: string, plain: Buffer, iv: Buffer, aad: Buffer, signal: AbortSignal): Promise<Sealed> {
    const payload = [...gcm(id), bytes(TAG.data, plain), bytes(TAG.iv, iv), bytes(TAG.additionalData, aad)]
    return this.#call('Encrypt', payload, signal, (answer) => {
      requireId(answer, id)
      const used = valueIn(answer, TAG.iv, 'bytes')
      if (used !== undefined && !used.equals(iv)) throw new KmipFault({ reason: 'wrong answer' })
      const [ciphertext, tag] = [
        requireIn(answer, TAG.data, 'bytes'),
        requireIn(answer, TAG.authenticationTag, 'bytes'),
      ]
      return { iv, ciphertext: ownCopy(ciphertext), tag: ownCopy(tag) }
    })
  }

  async decrypt(id: string, { iv, ciphertext, tag }: Sealed, aad: Buffer, signal: AbortSignal): Promise<Buffer> {
    const payload = [
      ...gcm(id),
      bytes(TAG.data, ciphertext),
      bytes(TAG.iv, iv),
      bytes(TAG.additionalData, aad),
      bytes(TAG.authenticationTag, tag),
    ]
    return this.#call('Decrypt', payload, signal, (answer) => {
      requireId(answer, id)
      return ownCopy(requireIn(answer, TAG.data, 'bytes'))
    })
  }

  /** The bytes of a key, wrapped by AES key wrap (RFC 3394) under another one. */
  async getWrapped(id: string, wrappingId: string, signal: AbortSignal): Promise<Buffer> {
    const payload = [
      text(TAG.uniqueIdentifier, id),
      enumeration(TAG.keyFormatType, RAW),
      structure(
        TAG.keyWrappingSpecification,
        enumeration(TAG.wrappingMethod, WRAP_BY_ENCRYPTING),
        structure(
          TAG.encryptionKeyInformation,
          text(TAG.uniqueIdentifier, wrappingId),
          structure(TAG.cryptographicParameters, enumeration(TAG.blockCipherMode, NIST_KEY_WRAP)),
        ),
        enumeration(TAG.encodingOption, NO_ENCODING),
      ),
    ]
    return this.#call('Get', payload, signal, (answer) => {
      requireId(answer, id)
      const block = requireIn(requireIn(answer, TAG.symmetricKey, 'structure'), TAG.keyBlock, 'structure')
      if (valueIn(block, TAG.keyWrappingData, 'structure') === undefined)
        throw new KmipFault({ reason: 'wrong answer' })
      return ownCopy(requireIn(requireIn(block, TAG.keyValue, 'structure'), TAG.keyMaterial, 'bytes'))
    })
  }

  close(): void {
    this.#parts.pool.close()
  }

  /** `read` copies what it needs: the answer is wiped after it. */
  async #call<T>(
    operation: Operation,
    payload: readonly Item[],
    signal: AbortSignal,
    read: (payload: readonly Item[]) => T,
  ): Promise<T> {
    try {
      return await this.#send(await this.#version(signal), operation, payload, signal, read)
    } catch (error) {
      if (error instanceof KmipFault && error.returned(...OTHER_VERSION)) this.forgetVersion()
      throw error
    }
  }

  async #send<T>(
    minor: number,
    operation: Operation,
    payload: readonly Item[],
    signal: AbortSignal,
    read: (payload: readonly Item[]) => T,
  ): Promise<T> {
    const { pool, credential, random } = this.#parts
    const request = { minor, operation, payload, id: random(ID_BYTES), credential }
    const message = await pool.exchange(() => renderRequest(request), signal)
    try {
      return read(parseResponse(message, request))
    } finally {
      message.fill(0)
    }
  }

  async #version(signal: AbortSignal): Promise<number> {
    this.#minor ??= await this.#discover(signal)
    return this.#minor
  }

  /** Asks in the best version first: a server that does not speak it may not understand the question. */
  async #discover(signal: AbortSignal): Promise<number> {
    for (const minor of MINORS) {
      try {
        const spoken = await this.#send(minor, 'DiscoverVersions', MINORS.map(version), signal, minorsIn)
        const best = MINORS.find((one) => spoken.has(one))
        if (best !== undefined) return best
        break
      } catch (error) {
        if (!(error instanceof KmipFault)) throw error
        // It understands the version, and has not this way to ask for it.
        if (error.returned(REASON.OperationNotSupported)) return minor
        if (!error.returned(...OTHER_VERSION)) throw error
      }
    }
    throw new KmipFault({ reason: 'version' })
  }
}

const ATTRIBUTES = {
  objectType: 'Object Type',
  algorithm: 'Cryptographic Algorithm',
  length: 'Cryptographic Length',
  usage: 'Cryptographic Usage Mask',
  state: 'State',
} as const

const attribute = (name: string, value: Item): Item => structure(TAG.attribute, text(TAG.attributeName, name), value)

function attributeIn(found: readonly Item[], name: string, type: 'integer' | 'enumeration'): number | undefined {
  for (const item of found) {
    const fields = requireIn([item], TAG.attribute, 'structure')
    if (requireIn(fields, TAG.attributeName, 'text') === name) return requireIn(fields, TAG.attributeValue, type)
  }
  return undefined
}

function gcm(id: string): Item[] {
  return [
    text(TAG.uniqueIdentifier, id),
    structure(
      TAG.cryptographicParameters,
      enumeration(TAG.blockCipherMode, GCM),
      enumeration(TAG.cryptographicAlgorithm, AES),
      integer(TAG.tagLength, TAG_BYTES),
    ),
  ]
}

function minorsIn(payload: readonly Item[]): Set<number> {
  const pairs = payload
    .filter((item) => item.tag === TAG.protocolVersion)
    .map((item) => requireIn([item], TAG.protocolVersion, 'structure'))
  const ours = pairs.filter((pair) => requireIn(pair, TAG.versionMajor, 'integer') === 1)
  return new Set(ours.map((pair) => requireIn(pair, TAG.versionMinor, 'integer')))
}

/** An answer about another key is none. */
function requireId(payload: readonly Item[], id: string): void {
  if (requireIn(payload, TAG.uniqueIdentifier, 'text') !== id) throw new KmipFault({ reason: 'wrong answer' })
}
