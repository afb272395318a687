/**
 * The same object under a new object key: its plaintext in segments of the same lengths and part numbers, and a tail that says
 * of it what the old one said. So an upload keeps its parts, its checksums and, where ETags are MD5s, its ETag.
 */
import { type Body, HeldBody } from '../backends/body.ts'
import type { WriteCondition, WriteResult } from '../backends/object-store.ts'
import { newObjectKey } from '../format/derive.ts'
import { encodeFoot } from '../format/envelope.ts'
import type { Facts } from '../format/facts.ts'
import { md5 } from '../format/hash.ts'
import { layoutOfTail, segmentsEnd } from '../format/layout.ts'
import { NO_SALT } from '../format/metadata.ts'
import { MIN_SEGMENT_BYTES } from '../format/sizes.ts'
import { finishObject } from '../format/tail.ts'
import type { TailRecord } from '../format/tail-record.ts'
import type { ForStore } from './attributes.ts'
import type { Encryption } from './encryption.ts'
import type { Gateway } from './gateway.ts'
import { PartGatherer } from './part-gatherer.ts'
import type { Place } from './place.ts'
import { GATHER_BYTES } from './put-object.ts'
import { gather, readWhole } from './read-body.ts'
import { listedAgain, type SealedDescription, sealDescription } from './sealed-description.ts'
import { allTlvs, readTail, type SealedObject } from './sealed-object.ts'
import { SegmentsSealer } from './segments-sealer.ts'
import { confirmed } from './write-anew.ts'
import { foundOursOrThrow } from './write-object.ts'

export interface Resealing {
  readonly sealed: SealedObject
  readonly target: Place
  readonly encryption: Encryption
  readonly attributes: ForStore
  readonly condition: WriteCondition | undefined
  /** The last look, before what makes the object goes to the store: what it throws is thrown, and no object appears. */
  readonly confirm: () => Promise<void>
  readonly signal: AbortSignal
}

/** What one attempt is sealed with. */
interface Attempt extends Resealing {
  readonly record: TailRecord
  readonly sealer: SegmentsSealer
  /** Stored bytes of all segments. */
  readonly segmentsEnd: number
  readonly description: SealedDescription
}

/**
 * Writes the object; nothing of it is there before all of the source has been read and verified. Throws `MetadataTooLarge` where
 * the new envelope leaves too little room, and what reading and writing throw.
 */
export async function reseal(gateway: Gateway, resealing: Resealing): Promise<WriteResult> {
  const { sealed, target, confirm, signal } = resealing
  const attempt = await newAttempt(gateway, resealing)
  const inParts = sealed.info.size > gateway.store.capabilities.requestLimit
  const plaintext = confirmed(await readWhole(gateway, sealed, signal), inParts ? undefined : confirm)
  const body = resealed(gateway, attempt, plaintext)
  const write = inParts ? putParts(gateway, attempt, body) : putWhole(gateway, attempt, body)
  return write.catch((error: unknown) => foundOursOrThrow(gateway, target, attempt.description, error))
}

async function newAttempt(gateway: Gateway, resealing: Resealing): Promise<Attempt> {
  const { sealed, target, encryption, signal } = resealing
  const { random } = gateway
  const record = await readTail(gateway, sealed, signal)
  const layout = layoutOfTail(sealed.envelope.suite, record, sealed.info.size)
  const objectKey = newObjectKey(random)
  const sealer = new SegmentsSealer(objectKey, layout.segments, random)
  const { plaintextBytes } = record
  const [salt = NO_SALT] = sealer.salts
  const ofPut = record.kind === 1 && record.segments === 1
  const description = await sealDescription(gateway, target, {
    objectKey,
    tlvs: await allTlvs(gateway, sealed, signal),
    encryption,
    ...(ofPut ? { segment: { plaintextBytes, salt, commitment: sealer.commitment } } : {}),
    areaAllowed: plaintextBytes >= MIN_SEGMENT_BYTES,
  })
  return { ...resealing, record, sealer, segmentsEnd: segmentsEnd(layout), description }
}

async function* resealed(gateway: Gateway, attempt: Attempt, plaintext: Body): Body {
  const { sealer } = attempt
  try {
    for await (const batch of plaintext) {
      const out: Buffer[] = []
      const begun = performance.now()
      for (const piece of batch) for (const part of sealer.update(piece)) out.push(part)
      gateway.meter.cipherMilliseconds += performance.now() - begun
      if (out.length > 0) yield out
    }
    // The source ends only when all of it has been verified.
    yield [...sealer.final(), ...ending(gateway, attempt)]
  } finally {
    sealer.dispose()
  }
}

function ending({ random }: Gateway, { record, sealer, segmentsEnd, description, target }: Attempt): Buffer[] {
  const { objectKey, envelope, namespace, generation, writeTime, area } = description
  const { kind, md5Valid, checksumValid, segments, plaintextBytes, md5, checksum, partNumber, entries } = record
  const [salt = NO_SALT] = sealer.salts
  return finishObject({
    objectKey,
    content: {
      kind,
      md5Valid,
      checksumValid,
      segments,
      plaintextBytes,
      md5,
      ...(checksum === undefined ? {} : { checksum }),
      partNumber,
      salt: segments === 1 ? salt : NO_SALT,
      generation,
      writeTime,
      ...(area === undefined ? {} : { area }),
      entries: entries.map((entry, i) => ({ ...entry, salt: sealer.salts[i] ?? NO_SALT })),
    },
    segmentsStoredBytes: segmentsEnd,
    foot: plaintextBytes < MIN_SEGMENT_BYTES ? Buffer.alloc(0) : encodeFoot(envelope, namespace, target.key),
    random,
  })
}

async function putWhole(gateway: Gateway, attempt: Attempt, body: Body): Promise<WriteResult> {
  const { sealed, target, description, condition, attributes, signal } = attempt
  const { size } = sealed.info
  const sent = size > GATHER_BYTES ? body : new HeldBody(await gather(body))
  return gateway.store.put(target.bucket, target.key, sent, {
    length: size,
    metadata: description.metadata,
    ...(condition === undefined ? {} : { condition }),
    ...attributes,
    signal,
    commit: async () => listedFacts(gateway, attempt),
  })
}

const MIB = 1024 * 1024
const LEAST_PART_BYTES = 16 * MIB
const MOST_PARTS = 9_000

/** Beyond one request the store gets parts of any boundaries (docs/format.md, "Object body"), each gathered, so that it can be sent again. */
async function putParts(gateway: Gateway, attempt: Attempt, body: Body): Promise<WriteResult> {
  const { store, limits } = gateway
  const { sealed, target, description, condition, confirm, attributes, signal } = attempt
  const { metadata } = description
  const uploadId = await store.createUpload(target.bucket, target.key, { metadata, ...attributes })
  const ref = { bucket: target.bucket, key: target.key, uploadId }
  const partBytes = Math.max(LEAST_PART_BYTES, Math.ceil(sealed.info.size / MOST_PARTS))
  const gatherer = new PartGatherer(body, limits.gather)
  const parts: { partNumber: number; etag: string }[] = []
  try {
    for (let last = false; !last; ) {
      const part = await gatherer.next(partBytes)
      const partNumber = parts.length + 1
      const options = { length: part.bytes, signal }
      const { etag } = await store.putPart(ref, partNumber, new HeldBody(part.pieces), options)
      parts.push({ partNumber, etag })
      last = part.last
    }
    const facts = listedFacts(gateway, attempt)
    await confirm()
    return await store.completeUpload(ref, { parts, ...facts, ...(condition === undefined ? {} : { condition }) })
  } catch (error) {
    await store.abortUpload(ref).catch(() => undefined)
    throw error
  } finally {
    gatherer.release()
  }
}

function listedFacts(gateway: Gateway, { target, description, record, sealed }: Attempt): { readonly facts?: Buffer } {
  return listedAgain(gateway, target, description, sealed.facts ?? factsOf(record))
}

/** Of an object whose own facts are lost. */
function factsOf(record: TailRecord): Omit<Facts, 'generation'> {
  const { kind, segments, plaintextBytes, md5Valid, checksumValid, checksum } = record
  const ofOnePart = kind === 2 && segments === 1
  return {
    plaintextBytes,
    ...(md5Valid ? { md5: ofOnePart ? md5(record.md5) : record.md5 } : {}),
    partCount: kind === 2 ? segments : 0,
    checksumAlgorithm: checksumValid ? (checksum?.algorithm ?? 0) : 0,
    checksumType: checksumValid ? (checksum?.type ?? 0) : 0,
  }
}
