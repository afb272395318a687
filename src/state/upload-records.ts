/** The records of a multipart upload and their JSON (docs/format.md, "State store"). Bytes are base64url. */
import { toBase64url } from '../format/derive.ts'
import { bytes, fields, list, malformed, number, optional, optionalText, text } from './record-fields.ts'

/** Server-side encryption as the client asked for it: mode code and key id of docs/format.md, tag 11. */
export interface RecordedEncryption {
  readonly mode: number
  readonly keyId: string
  readonly bucketKey: boolean
}

/** `create`: what every replica needs to seal a part of this upload. Holds R until the upload ends. */
export interface CreateRecord {
  readonly objectKey: Buffer
  /** Raw envelope, for the foot. */
  readonly envelope: Buffer
  /** Sealed overflow TLVs for the tail, if any. */
  readonly area: Buffer | undefined
  /** Codes of docs/format.md, "Tail record"; `undefined` if the client asked for none. */
  readonly checksum: { readonly algorithm: number; readonly type: number } | undefined
  /** What answers say; absent if nothing was asked for. */
  readonly encryption?: RecordedEncryption | undefined
  /** The object will be locked, so that every part needs a digest. */
  readonly locked?: boolean
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  /** Milliseconds since 1970. */
  readonly initiated: number
}

/** What a completed upload is answered with, also when the client asks again. */
export interface CompleteAnswer {
  /** The client's; empty in a plan where only the backend's answer will tell. */
  readonly etag: string
  readonly versionId: string | undefined
  readonly checksum: { readonly algorithm: number; readonly type: number; readonly value: Buffer } | undefined
  readonly encryption?: RecordedEncryption | undefined
  readonly parts: number
}

/** `plan`: how an upload is put together; every replica that executes it writes the same bytes. */
export interface PlanRecord {
  readonly state: 'open' | 'refused'
  readonly requestHash: string
  /** The backend's parts in order, without the last that the gateway writes. */
  readonly streamed: readonly { readonly partNumber: number; readonly etag: string }[]
  /** The held-back segment that begins the gateway's part. */
  readonly held: { readonly partNumber: number; readonly attempt: string; readonly bytes: number } | undefined
  /** Backend part number of what the gateway writes. */
  readonly finalPart: number
  readonly padBytes: number
  /** Ciphertext of tail, foot and trailer. */
  readonly finished: Buffer
  readonly generation: Buffer
  /** Sealed facts. */
  readonly facts: Buffer
  readonly answer: CompleteAnswer
}

/** `done`: kept for a day, so that a repeated Complete gets the same answer. */
export interface DoneRecord {
  readonly requestHash: string
  readonly answer: CompleteAnswer
}

type Json = Record<string, unknown>

export const encodeCreate = (record: CreateRecord): Json => ({
  ...record,
  objectKey: toBase64url(record.objectKey),
  envelope: toBase64url(record.envelope),
  area: record.area === undefined ? null : toBase64url(record.area),
  checksum: record.checksum ?? null,
  encryption: record.encryption ?? null,
})

export function decodeCreate(json: unknown): CreateRecord {
  const at = fields(json)
  const checksum = at('checksum')
  return {
    objectKey: bytes(at('objectKey')),
    envelope: bytes(at('envelope')),
    area: at('area') === null ? undefined : bytes(at('area')),
    checksum: checksum === null ? undefined : codes(checksum),
    encryption: optionalEncryption(json),
    ...(optional(json, 'locked') === true ? { locked: true } : {}),
    bucket: text(at('bucket')),
    key: text(at('key')),
    uploadId: text(at('uploadId')),
    initiated: number(at('initiated')),
  }
}

export const encodePlan = (record: PlanRecord): Json => ({
  ...record,
  held: record.held ?? null,
  finished: toBase64url(record.finished),
  generation: toBase64url(record.generation),
  facts: toBase64url(record.facts),
  answer: encodeAnswer(record.answer),
})

export function decodePlan(json: unknown): PlanRecord {
  const at = fields(json)
  const state = at('state')
  if (state !== 'open' && state !== 'refused') throw malformed()
  return {
    state,
    requestHash: text(at('requestHash')),
    streamed: list(at('streamed')).map((one) => {
      const part = fields(one)
      return { partNumber: number(part('partNumber')), etag: text(part('etag')) }
    }),
    held: at('held') === null ? undefined : decodeHeld(at('held')),
    finalPart: number(at('finalPart')),
    padBytes: number(at('padBytes')),
    finished: bytes(at('finished')),
    generation: bytes(at('generation')),
    facts: bytes(at('facts')),
    answer: decodeAnswer(at('answer')),
  }
}

export const encodeDone = (record: DoneRecord): Json => ({ ...record, answer: encodeAnswer(record.answer) })

export function decodeDone(json: unknown): DoneRecord {
  const at = fields(json)
  return { requestHash: text(at('requestHash')), answer: decodeAnswer(at('answer')) }
}

const encodeAnswer = ({ etag, versionId, checksum, encryption, parts }: CompleteAnswer): Json => ({
  etag,
  encryption: encryption ?? null,
  versionId: versionId ?? null,
  parts,
  checksum: checksum === undefined ? null : { ...checksum, value: toBase64url(checksum.value) },
})

function decodeAnswer(json: unknown): CompleteAnswer {
  const at = fields(json)
  const checksum = at('checksum')
  return {
    etag: text(at('etag')),
    versionId: optionalText(json, 'versionId'),
    parts: number(at('parts')),
    encryption: optionalEncryption(json),
    checksum: checksum === null ? undefined : { ...codes(checksum), value: bytes(fields(checksum)('value')) },
  }
}

function decodeHeld(json: unknown): NonNullable<PlanRecord['held']> {
  const at = fields(json)
  return { partNumber: number(at('partNumber')), attempt: text(at('attempt')), bytes: number(at('bytes')) }
}

function codes(json: unknown): { algorithm: number; type: number } {
  const at = fields(json)
  return { algorithm: number(at('algorithm')), type: number(at('type')) }
}

function optionalEncryption(json: unknown): RecordedEncryption | undefined {
  const value = optional(json, 'encryption')
  if (value === undefined) return undefined
  const at = fields(value)
  return { mode: number(at('mode')), keyId: text(at('keyId')), bucketKey: at('bucketKey') === true }
}
