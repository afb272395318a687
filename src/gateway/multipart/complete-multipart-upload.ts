/** CompleteMultipartUpload: idempotent, safe from every replica at once; the plan is the one truth (docs/format.md, "State store": Complete). */
import {
  type Body,
  type ReplayableBody,
  StoreError,
  type WriteCondition,
  type WriteResult,
} from '../../backends/object-store.ts'
import { Unavailable } from '../../errors.ts'
import { sha256Hex } from '../../format/hash.ts'
import { segmentSize } from '../../format/sizes.ts'
import { zeroPieces } from '../../format/tail.ts'
import { checksumOfCode, typeOfCode } from '../../s3/checksum.ts'
import { type CompleteChecksum, parseCompleteChecksum, type StoredChecksum } from '../../s3/checksum-headers.ts'
import { type CompletePart, MAX_COMPLETE_BYTES, parseComplete, parseObjectSize } from '../../s3/complete-xml.ts'
import { parseWriteConditions, type WriteConditions } from '../../s3/conditions.ts'
import { S3Error } from '../../s3/errors.ts'
import { renderComplete } from '../../s3/result-xml.ts'
import type { CompleteAnswer, PlanRecord } from '../../state/upload-records.ts'
import { etagSign, keepsMd5, opaqueEtag } from '../etag.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from '../gateway.ts'
import { readCompleteDocument } from '../request-document.ts'
import { headStored, readTail } from '../sealed-object.ts'
import { storeCondition } from '../write-conditions.ts'
import { currentParts } from './current-parts.ts'
import { type CompleteRequest, planComplete } from './plan-complete.ts'
import { noSuchUpload, type OpenUpload, refOf, uploadOf } from './upload-of.ts'

export const completeMultipartUpload: Operation = async (gateway, request) => {
  const limit = Math.min(gateway.limits.xmlBytes, MAX_COMPLETE_BYTES)
  const parts = parseComplete(await readCompleteDocument(request, limit))
  const checksum = parseCompleteChecksum(request.headers)
  const objectSize = parseObjectSize(request.headers)
  const conditions = parseWriteConditions(request.headers)
  const hash = requestHash(parts, checksum, objectSize, conditions)
  const ref = refOf(request)
  const { namespace } = gateway.rules(ref.bucket)
  const done = await gateway.uploads.done(ref, namespace)
  if (done !== undefined) {
    if (done.requestHash !== hash) throw noSuchUpload(ref)
    return respond(gateway, request, done.answer)
  }
  const upload = await uploadOf(gateway, request)
  const { record: plan, etag } = await agreePlan(gateway, upload, { parts, checksum, objectSize, hash })
  const answer = await completing(gateway, request, upload, plan, conditions).catch(async (error: unknown) => {
    const elsewhere = await completedElsewhere(gateway, request, upload, plan, error)
    if (elsewhere !== undefined) return elsewhere
    if (refusesForGood(error)) await gateway.uploads.publishPlan(ref, namespace, { ...plan, state: 'refused' }, etag)
    throw error
  })
  await gateway.uploads.finish(ref, namespace, { requestHash: hash, answer })
  gateway.background.run('delete the state of a completed upload', () => gateway.uploads.drop(ref))
  return respond(gateway, request, answer)
}

async function completing(
  gateway: Gateway,
  request: OperationRequest,
  upload: OpenUpload,
  plan: PlanRecord,
  conditions: WriteConditions,
): Promise<CompleteAnswer> {
  const conditional = { place: upload.ref, conditions, repeatable: true, needs: 'complete' as const }
  const condition = await storeCondition(gateway, conditional)
  const written = await execute(gateway, request, upload, plan, condition)
  return answerOf(gateway, plan, written)
}

/** The plan's answer, with what only the backend knows. */
function answerOf(
  gateway: Gateway,
  { answer }: PlanRecord,
  { etag, versionId }: { readonly etag: string; readonly versionId?: string },
): CompleteAnswer {
  return { ...answer, etag: keepsMd5(gateway) ? answer.etag : opaqueEtag(etag), versionId }
}

/** The identity of a request to complete: repeated, it gets the same answer; another one does not. */
function requestHash(
  parts: readonly CompletePart[],
  checksum: CompleteChecksum,
  objectSize: number | undefined,
  conditions: WriteConditions,
): string {
  const base64 = (value: Buffer | undefined): string | null => value?.toString('base64') ?? null
  return sha256Hex(
    JSON.stringify([
      parts.map((part) => [part.partNumber, part.etag, base64(part.checksum?.value)]),
      base64(checksum.value),
      checksum.type ?? null,
      objectSize ?? null,
      conditions.ifMatch ?? null,
      conditions.ifNoneMatch ?? null,
    ]),
  )
}

/** The plan to execute: the one that exists, if it is for this request; else ours, if nobody was first. */
async function agreePlan(
  gateway: Gateway,
  upload: OpenUpload,
  request: CompleteRequest,
): Promise<{ record: PlanRecord; etag: string }> {
  const { ref, namespace } = upload
  const existing = await gateway.uploads.plan(ref, namespace)
  if (existing !== undefined && existing.record.state === 'open') {
    if (existing.record.requestHash === request.hash) return existing
    throw new S3Error('ServiceUnavailable', {
      message: 'Another request is completing this upload. Retry the request.',
    })
  }
  const record = await planComplete(gateway, upload, request, await currentParts(gateway, upload))
  const etag = await gateway.uploads.publishPlan(ref, namespace, record, existing?.etag)
  if (etag !== undefined) return { record, etag }
  throw new S3Error('ServiceUnavailable', { message: 'Another request is completing this upload. Retry the request.' })
}

/** Writes the gateway's own last part, which is the same bytes from every replica, and completes the backend's upload. */
async function execute(
  gateway: Gateway,
  request: OperationRequest,
  { ref }: OpenUpload,
  plan: PlanRecord,
  condition: WriteCondition | undefined,
): Promise<WriteResult> {
  const { held, padBytes, finished } = plan
  const length = (held === undefined ? 0 : segmentSize(held.bytes)) + padBytes + finished.length
  const begin = (): AsyncIterator<readonly Buffer[]> => finalPart(gateway, request, ref, plan)[Symbol.asyncIterator]()
  const body: ReplayableBody = { replayable: true, [Symbol.asyncIterator]: begin }
  const { etag } = await gateway.store.putPart(ref, plan.finalPart, body, { length, signal: request.signal })
  return gateway.store.completeUpload(ref, {
    parts: [...plan.streamed, { partNumber: plan.finalPart, etag }],
    ...(keepsMd5(gateway) ? { facts: plan.facts } : {}),
    ...(condition === undefined ? {} : { condition }),
  })
}

async function* finalPart(gateway: Gateway, request: OperationRequest, ref: OpenUpload['ref'], plan: PlanRecord): Body {
  const { held, padBytes, finished } = plan
  if (held !== undefined)
    yield* (await gateway.uploads.openHeld(ref, held.partNumber, held.attempt, request.signal)).body
  yield [...zeroPieces(padBytes), finished]
}

/**
 * The backend no longer knows the upload, or the condition fails: another replica, or this request before its answer was
 * lost, may have completed it with this very plan. The condition then held once, and what it meets now is our own object.
 */
async function completedElsewhere(
  gateway: Gateway,
  request: OperationRequest,
  { ref, namespace }: OpenUpload,
  plan: PlanRecord,
  error: unknown,
): Promise<CompleteAnswer | undefined> {
  const mayBeDone =
    error instanceof Unavailable ||
    (error instanceof StoreError
      ? ['no-such-upload', 'precondition-failed', 'no-such-key', 'conflict'].includes(error.refusal)
      : error instanceof S3Error && error.code === 'PreconditionFailed')
  if (!mayBeDone) return undefined
  try {
    const done = await gateway.uploads.done(ref, namespace)
    if (done?.requestHash === plan.requestHash) return done.answer
    const sealed = await headStored(gateway, { bucket: ref.bucket, key: ref.key })
    if (sealed.kind === 'plain' || sealed.envelope.flags.sizeInMetadata) return undefined
    const tail = await readTail(gateway, sealed, request.signal)
    return tail.generation.equals(plan.generation) ? answerOf(gateway, plan, sealed.info) : undefined
  } catch {
    // What is there now is no proof that ours was; the client hears of the upload's end.
    return undefined
  }
}

/** Refusals after which the upload stays and another request may complete it. */
function refusesForGood(error: unknown): boolean {
  if (error instanceof StoreError) return !['no-such-upload', 'conflict'].includes(error.refusal)
  return error instanceof S3Error && error.status < 500
}

function respond(gateway: Gateway, request: OperationRequest, answer: CompleteAnswer): OperationResponse {
  const { bucket, key } = request
  const checksum = namedChecksum(answer)
  return {
    status: 200,
    headers: {
      ...etagSign(gateway),
      ...(answer.versionId === undefined ? {} : { 'x-amz-version-id': answer.versionId }),
    },
    body: renderComplete({
      location: `http://${request.headers.get('host') ?? ''}/${bucket}/${encodeURI(key)}`,
      bucket,
      key,
      etag: answer.etag,
      ...(checksum === undefined ? {} : { checksum }),
    }),
  }
}

function namedChecksum({ checksum, parts }: CompleteAnswer): StoredChecksum | undefined {
  const row = checksum === undefined ? undefined : checksumOfCode(checksum.algorithm)
  if (checksum === undefined || row === undefined) return undefined
  const type = typeOfCode(checksum.type)
  return { name: row.name, type, value: checksum.value, ...(type === 'COMPOSITE' ? { parts } : {}) }
}
