/** From what a client lists to a plan that any replica can execute (docs/format.md, "State store": Complete). Nothing is written here; errors leave no plan. */
import { newGeneration } from '../../format/derive.ts'
import { encodeFoot, parseEnvelope } from '../../format/envelope.ts'
import { md5 as md5Of } from '../../format/hash.ts'
import { NO_SALT } from '../../format/metadata.ts'
import { MAX_OBJECT_BYTES, MAX_SEGMENTS, MIN_SEGMENT_BYTES, segmentSize } from '../../format/sizes.ts'
import { finishParts } from '../../format/tail.ts'
import { NO_MD5, type TailRecord } from '../../format/tail-record.ts'
import { CHECKSUMS, checksumOfCode, multipartChecksum, TYPE_CODES, typeOfCode } from '../../s3/checksum.ts'
import { type CompleteChecksum, verifyChecksum } from '../../s3/checksum-headers.ts'
import type { CompletePart } from '../../s3/complete-xml.ts'
import type { BucketKey } from '../../keys/key-manager.ts'
import { S3Error } from '../../s3/errors.ts'
import type { CompleteAnswer, PlanRecord } from '../../state/upload-records.ts'
import type { JournalEntry } from '../../state/uploads.ts'
import { md5Etag } from '../etag.ts'
import type { Gateway } from '../gateway.ts'
import { tooLarge } from '../put-response.ts'
import { sealListed } from '../sealed-description.ts'
import type { CurrentParts, PartChoices } from './current-parts.ts'
import type { OpenUpload } from './upload-of.ts'

export interface CompleteRequest {
  readonly parts: readonly CompletePart[]
  readonly checksum: CompleteChecksum
  /** `x-amz-mp-object-size`. */
  readonly objectSize: number | undefined
  readonly hash: string
}

/** Throws `InvalidPart`, `EntityTooSmall`, `InvalidRequest`, `BadDigest`, `EntityTooLarge`, `MetadataTooLarge`. */
export async function planComplete(
  gateway: Gateway,
  upload: OpenUpload,
  request: CompleteRequest,
  current: CurrentParts,
): Promise<PlanRecord> {
  const chosen = chooseAttempts(upload, request, current)
  const total = chosen.reduce((sum, part) => sum + part.bytes, 0)
  checkSizes(upload, request, chosen, total)
  const answer = answerOf(upload, request, chosen)
  const { record, namespace, ref } = upload
  const generation = newGeneration(gateway.random)
  const { padBytes, pieces } = finishParts({
    objectKey: record.objectKey,
    content: tailOf(gateway, upload, chosen, answer, { total, generation }),
    segmentsStoredBytes: chosen.reduce((sum, part) => sum + segmentSize(part.bytes), 0),
    foot: total < MIN_SEGMENT_BYTES ? Buffer.alloc(0) : encodeFoot(record.envelope, namespace, ref.key),
    random: gateway.random,
  })
  const last = chosen.at(-1)
  const digest = md5OfParts(chosen)
  const facts = {
    plaintextBytes: total,
    generation,
    ...(digest === undefined ? {} : { md5: digest }),
    partCount: chosen.length,
    checksumAlgorithm: answer.checksum?.algorithm ?? 0,
    checksumType: answer.checksum?.type ?? 0,
  }
  const bucketKey = await bucketKeyOf(gateway, upload)
  return {
    state: 'open',
    requestHash: request.hash,
    streamed: chosen
      .filter((part) => !part.heldBack)
      .map((part) => ({ partNumber: part.partNumber, etag: part.backendEtag })),
    held:
      last?.heldBack === true ? { partNumber: last.partNumber, attempt: last.attempt, bytes: last.bytes } : undefined,
    finalPart: Math.min(MAX_SEGMENTS, current.highest + 1),
    padBytes,
    finished: Buffer.concat(pieces),
    generation,
    facts: sealListed(gateway, ref, { bucketKey, namespace }, facts),
    answer,
  }
}

/** The bucket key for the facts: of the manager that the object itself is sealed under; the bucket's where that is gone, or a customer has the key. */
function bucketKeyOf({ keys, rules }: Gateway, { record, namespace, ref }: OpenUpload): Promise<BucketKey> {
  const { alias } = parseEnvelope(record.envelope)
  return keys.active(namespace, keys.knows(alias) ? alias : rules(ref.bucket).manager)
}

/** The attempt that each listed part means: the one with the client's ETag, the newer where both have it. */
function chooseAttempts({ record }: OpenUpload, request: CompleteRequest, current: CurrentParts): JournalEntry[] {
  const known = new Map(current.choices.map((choice) => [choice.partNumber, choice]))
  return request.parts.map((part) => {
    const attempt = matching(known.get(part.partNumber), part.etag)
    if (attempt === undefined) throw invalidPart(part)
    checkPartChecksum(record.checksum, part, attempt)
    return attempt
  })
}

function matching(choice: PartChoices | undefined, etag: string): JournalEntry | undefined {
  const { streamed, heldBack } = choice ?? {}
  const fits = [streamed, heldBack].filter((one) => one !== undefined && one.clientEtag === etag)
  return fits.length < 2 ? fits[0] : (heldBack?.at ?? 0) > (streamed?.at ?? 0) ? heldBack : streamed
}

function invalidPart({ partNumber, etag }: CompletePart): S3Error {
  return new S3Error('InvalidPart', { extra: { PartNumber: String(partNumber), ETag: etag } })
}

/** A COMPOSITE upload needs every part's checksum in the request; one that is given must be the part's (S3 behaviour 39). */
function checkPartChecksum(
  expected: OpenUpload['record']['checksum'],
  part: CompletePart,
  attempt: JournalEntry,
): void {
  const row = expected === undefined ? undefined : checksumOfCode(expected.algorithm)
  if (part.checksum === undefined) {
    if (row === undefined || expected === undefined || typeOfCode(expected.type) === 'FULL_OBJECT') return
    const name = row.name.toLowerCase()
    throw new S3Error('InvalidRequest', {
      message: `The upload was created using a ${name} checksum. The complete request must include the checksum for each part. It was missing for part ${part.partNumber} in the request.`,
    })
  }
  // An upload that named no algorithm still has what each part came with.
  const kept = attempt.checksum === undefined ? undefined : checksumOfCode(attempt.checksum.algorithm)
  const same = part.checksum.name === kept?.name && attempt.checksum?.value.equals(part.checksum.value) === true
  if (!same) throw invalidPart(part)
}

function checkSizes(
  { record }: OpenUpload,
  request: CompleteRequest,
  chosen: readonly JournalEntry[],
  total: number,
): void {
  for (const part of chosen.slice(0, -1)) {
    if (part.bytes >= MIN_SEGMENT_BYTES) continue
    throw new S3Error('EntityTooSmall', {
      extra: {
        ProposedSize: String(part.bytes),
        MinSizeAllowed: String(MIN_SEGMENT_BYTES),
        PartNumber: String(part.partNumber),
        ETag: part.clientEtag,
      },
    })
  }
  if (request.objectSize !== undefined && request.objectSize !== total) {
    throw new S3Error('InvalidRequest', {
      message: `The provided 'x-amz-mp-object-size' header value ${request.objectSize} does not match what was computed: ${total}`,
    })
  }
  if (total > MAX_OBJECT_BYTES) throw tooLarge(total, MAX_OBJECT_BYTES)
  if (record.area !== undefined && total < MIN_SEGMENT_BYTES) {
    throw new S3Error('MetadataTooLarge', {
      message: 'The metadata of this upload needs an object of at least 5 MiB on this store.',
    })
  }
}

/** MD5 of the parts' MD5s, where every one is kept. */
function md5OfParts(chosen: readonly JournalEntry[]): Buffer | undefined {
  const digests = chosen.map((part) => part.md5).filter((md5) => md5 !== undefined)
  return digests.length === chosen.length ? md5Of(Buffer.concat(digests)) : undefined
}

function answerOf({ record }: OpenUpload, request: CompleteRequest, chosen: readonly JournalEntry[]): CompleteAnswer {
  const digest = md5OfParts(chosen)
  const etag = digest === undefined ? '' : md5Etag(digest, chosen.length)
  const versionId = undefined
  const { encryption } = record
  const { checksum } = request
  const kept = record.checksum ?? defaultChecksum(chosen)
  if (kept === undefined) {
    if (checksum.value === undefined && checksum.type === undefined)
      return { etag, versionId, checksum: undefined, encryption, parts: chosen.length }
    throw mismatch(checksum, 'null')
  }
  const row = checksumOfCode(kept.algorithm)
  if (row === undefined) throw new S3Error('InternalError', { cause: 'an upload with an unknown checksum algorithm' })
  const type = typeOfCode(kept.type)
  if ((checksum.name ?? row.name) !== row.name) throw mismatch(checksum, row.name)
  if ((checksum.type ?? type) !== type) {
    throw new S3Error('InvalidRequest', {
      message: `The upload was created using the ${type} checksum mode. The complete request must use the same checksum mode.`,
    })
  }
  const value = multipartChecksum(
    row.name,
    type,
    chosen.map((part) => ({ value: part.checksum?.value ?? Buffer.alloc(0), bytes: part.bytes })),
  )
  if (checksum.value !== undefined) verifyChecksum(row.name, checksum.value, value)
  if (checksum.parts !== undefined && checksum.parts !== chosen.length) throw new S3Error('BadDigest')
  return { etag, versionId, checksum: { ...kept, value }, encryption, parts: chosen.length }
}

/** S3's default for an upload that names no algorithm, where every part has it: because it was sent, or because settings want it. */
function defaultChecksum(chosen: readonly JournalEntry[]): OpenUpload['record']['checksum'] {
  const algorithm = CHECKSUMS.CRC64NVME.code
  const complete = chosen.every((part) => part.checksum?.algorithm === algorithm)
  return complete ? { algorithm, type: TYPE_CODES.FULL_OBJECT } : undefined
}

function mismatch(checksum: CompleteChecksum, expected: string): S3Error {
  return new S3Error('InvalidRequest', {
    message: `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${(checksum.name ?? 'null').toLowerCase()}`,
  })
}

type TailContent = Omit<TailRecord, 'tailOffset' | 'footPresent' | 'areaUsed'>

function tailOf(
  gateway: Gateway,
  { record }: OpenUpload,
  chosen: readonly JournalEntry[],
  answer: CompleteAnswer,
  { total, generation }: { readonly total: number; readonly generation: Buffer },
): TailContent {
  const [only] = chosen
  const single = chosen.length === 1 && only !== undefined
  const checksum = answer.checksum
  // Of an upload with one part the tail keeps the part's own digests, from which the object's are computed.
  const partsOwn =
    single && checksum !== undefined ? { ...checksum, value: only.checksum?.value ?? checksum.value } : checksum
  const digest = single ? only.md5 : md5OfParts(chosen)
  return {
    kind: 2,
    md5Valid: digest !== undefined,
    checksumValid: partsOwn !== undefined,
    segments: chosen.length,
    plaintextBytes: total,
    md5: digest ?? NO_MD5,
    ...(partsOwn === undefined ? {} : { checksum: partsOwn }),
    partNumber: single ? only.partNumber : 0,
    salt: single ? only.segmentSalt : NO_SALT,
    generation,
    writeTime: gateway.clock(),
    ...(record.area === undefined ? {} : { area: record.area }),
    entries: single
      ? []
      : chosen.map((part) => ({
          partNumber: part.partNumber,
          plaintextBytes: part.bytes,
          salt: part.segmentSalt,
          ...(part.md5 === undefined ? {} : { md5: part.md5 }),
          ...(checksum === undefined || part.checksum === undefined ? {} : { checksum: part.checksum.value }),
        })),
  }
}
