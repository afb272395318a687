/** Requests and responses of one batch item each (KMIP 1.4, chapters 6 and 7). */
import { sameBytes } from '../../format/derive.ts'
import { KmipFault } from './fault.ts'
import { FAILED, MAJOR, OPERATION, type Operation, REASON, SUCCESS, TAG, USERNAME_AND_PASSWORD } from './protocol.ts'
import { decode, encode, type Item, requireIn, valueIn } from './ttlv.ts'

/** Answers are small: the longest lists the operations of a server. */
export const MAX_RESPONSE_BYTES = 65_536

export interface Credential {
  readonly username: string
  readonly password: string
}

export interface Request {
  /** Of version 1. */
  readonly minor: number
  readonly operation: Operation
  readonly payload: readonly Item[]
  /** Comes back with the answer: an answer to another request is none. */
  readonly id: Buffer
  readonly credential?: Credential | undefined
}

export const structure = (tag: number, ...value: readonly Item[]): Item => ({ tag, type: 'structure', value })
export const integer = (tag: number, value: number): Item => ({ tag, type: 'integer', value })
export const enumeration = (tag: number, value: number): Item => ({ tag, type: 'enumeration', value })
export const text = (tag: number, value: string): Item => ({ tag, type: 'text', value })
export const bytes = (tag: number, value: Buffer): Item => ({ tag, type: 'bytes', value })

export const version = (minor: number): Item =>
  structure(TAG.protocolVersion, integer(TAG.versionMajor, MAJOR), integer(TAG.versionMinor, minor))

export function renderRequest({ minor, operation, payload, id, credential }: Request): Buffer {
  const header = structure(
    TAG.requestHeader,
    version(minor),
    integer(TAG.maximumResponseSize, MAX_RESPONSE_BYTES),
    ...(credential === undefined ? [] : [authentication(credential)]),
    integer(TAG.batchCount, 1),
  )
  const item = structure(
    TAG.batchItem,
    enumeration(TAG.operation, OPERATION[operation]),
    bytes(TAG.batchItemId, id),
    structure(TAG.requestPayload, ...payload),
  )
  return encode(structure(TAG.requestMessage, header, item))
}

function authentication({ username, password }: Credential): Item {
  return structure(
    TAG.authentication,
    structure(
      TAG.credential,
      enumeration(TAG.credentialType, USERNAME_AND_PASSWORD),
      structure(TAG.credentialValue, text(TAG.username, username), text(TAG.password, password)),
    ),
  )
}

/** The payload of the answer to `request`. Throws `KmipFault` for a refusal, and for whatever is no answer to it. */
export function parseResponse(message: Buffer, { operation, id }: Pick<Request, 'operation' | 'id'>): readonly Item[] {
  const response = decode(message)
  if (response.type !== 'structure' || response.tag !== TAG.responseMessage) throw new KmipFault({ reason: 'garbage' })
  const header = requireIn(response.value, TAG.responseHeader, 'structure')
  const spoken = requireIn(header, TAG.protocolVersion, 'structure')
  if (requireIn(spoken, TAG.versionMajor, 'integer') !== MAJOR) throw new KmipFault({ reason: 'version' })
  const item = requireIn(response.value, TAG.batchItem, 'structure')
  const status = requireIn(item, TAG.resultStatus, 'enumeration')
  const echo = valueIn(item, TAG.batchItemId, 'bytes')
  if (echo !== undefined && !sameBytes(echo, id)) throw new KmipFault({ reason: 'wrong answer' })
  if (status === FAILED) {
    const code = valueIn(item, TAG.resultReason, 'enumeration') ?? REASON.GeneralFailure
    throw new KmipFault({ operation, code })
  }
  if (status !== SUCCESS || requireIn(item, TAG.operation, 'enumeration') !== OPERATION[operation]) {
    throw new KmipFault({ reason: 'wrong answer' })
  }
  return valueIn(item, TAG.responsePayload, 'structure') ?? []
}
