/** CompleteMultipartUpload: idempotent, safe from every replica at once; the plan is the one truth (docs/format.md, "State store": Complete). */
import type { Body, ReplayableBody } from '../../backends/body.ts'
import { StoreError, type UploadRef, type WriteCondition, type WriteResult } from '../../backends/object-store.ts'
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
import { keepsMd5 } from '../etag.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from '../gateway.ts'
import { readCompleteDocument } from '../request-document.ts'
import { requireAbility, storeCondition } from '../write-conditions.ts'
import { answerOf, awaitCompleted, findCompleted } from './completed.ts'
import { backendParts, currentParts } from './current-parts.ts'
import { type CompleteRequest, planComplete } from './plan-complete.ts'
import { checkOptionalKey, toldOfRecord } from './upload-encryption.ts'
import { noSuchUpload, type OpenUpload, refOf, uploadOf } from './upload-of.ts'

export const completeMultipartUpload: Operation = async (gateway, request) => {
  const limit = Math.min(gateway.limits.xmlBytes, MAX_COMPLETE_BYTES)
  const parts = parseComplete(await readCompleteDocument(request, limit))
  const checksum = parseCompleteChecksum(request.headers)
  const objectSize = parseObjectSize(request.headers)
  const conditions = parseWriteConditions(request.headers)
  // Before a plan is there: nobody else could complete the upload with a plan that no store can execute.
  if (conditions.ifMatch !== undefined || conditions.ifNoneMatch !== undefined) requireAbility(gateway, 'complete')
  const hash = requestHash(parts, checksum, objectSize, conditions)
  const ref = refOf(request)
  const { namespace } = gateway.rules(ref.bucket)
  const done = await gateway.uploads.done(ref, namespace)
  if (done !== undefined) {
    if (done.requestHash !== hash) throw noSuchUpload(ref)
    return respond(gateway, request, done.answer)
  }
  const asked = { parts, checksum, objectSize, hash }
  try {
    return respond(gateway, request, await completeOpen(gateway, request, asked, conditions))
  } catch (error) {
    // The upload ended while we looked at it: perhaps by this very request, on another replica.
    if (!(error instanceof S3Error && error.code === 'NoSuchUpload')) throw error
    const ended = await gateway.uploads.done(ref, namespace)
    if (ended?.requestHash !== hash) throw error
    return respond(gateway, request, ended.answer)
  }
}

async function completeOpen(
  gateway: Gateway,
  request: OperationRequest,
  asked: CompleteRequest,
  conditions: WriteConditions,
): Promise<CompleteAnswer> {
  const upload = await uploadOf(gateway, request)
  checkOptionalKey(request, upload)
  const { ref, namespace } = upload
  const { record: plan, etag, at } = await agreePlan(gateway, upload, asked)
  const answer = await completing(gateway, request, upload, plan, conditions).catch(async (error: unknown) => {
    const found = mayBeCompleted(error) ? await findCompleted(gateway, upload, plan, request.signal) : undefined
    if (found !== undefined) return found
    if (isGone(error)) return awaitCompleted(gateway, upload, plan, { error, at, signal: request.signal })
    if (refusesForGood(error)) await gateway.uploads.publishPlan(ref, namespace, { ...plan, state: 'refused' }, etag)
    throw error
  })
  await gateway.uploads.finish(ref, namespace, { requestHash: asked.hash, answer })
  gateway.background.run('delete the state of a completed upload', () => gateway.uploads.drop(ref))
  return answer
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

/** How often equal requests that meet on several replicas look for the plan of the other. */
const PLAN_ATTEMPTS = 3

interface AgreedPlan {
  readonly record: PlanRecord
  readonly etag: string
  /** When the state store took it. */
  readonly at: Date
}

/** The plan to execute: the one that exists, if it is for this request; else ours, if nobody was first. */
async function agreePlan(gateway: Gateway, upload: OpenUpload, request: CompleteRequest): Promise<AgreedPlan> {
  const { ref, namespace } = upload
  for (let attempt = 1; attempt <= PLAN_ATTEMPTS; attempt += 1) {
    const existing = await gateway.uploads.plan(ref, namespace)
    if (existing !== undefined && existing.record.state === 'open') {
      if (existing.record.requestHash === request.hash) return existing
      break
    }
    const made = await makePlan(gateway, upload, request, existing?.etag)
    if (made !== undefined) return made
  }
  throw new S3Error('ServiceUnavailable', { message: 'Another request is completing this upload. Retry the request.' })
}

/** Makes and publishes a plan; `undefined` if another one may be there now. Throws `NoSuchUpload` and leaves no plan if the upload has ended. */
async function makePlan(
  gateway: Gateway,
  upload: OpenUpload,
  request: CompleteRequest,
  replaces: string | undefined,
): Promise<AgreedPlan | undefined> {
  const { ref, namespace } = upload
  let record: PlanRecord
  try {
    record = await planComplete(gateway, upload, request, await currentParts(gateway, upload))
  } catch (error) {
    // The backend has no upload: who completed it has left a plan, unless it was aborted.
    const ended = error instanceof S3Error && error.code === 'NoSuchUpload'
    const now = ended ? await gateway.uploads.plan(ref, namespace) : undefined
    if (now?.record.state === 'open') return undefined
    throw error
  }
  const etag = await gateway.uploads.publishPlan(ref, namespace, record, replaces)
  if (etag === undefined) return undefined
  // Whoever ended the upload meanwhile did not see our plan: it must not stay.
  if ((await gateway.uploads.find(ref, namespace)) !== undefined) return { record, etag, at: new Date(gateway.clock()) }
  await gateway.uploads.drop(ref)
  throw noSuchUpload(ref)
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
  const options = {
    parts: [...plan.streamed, { partNumber: plan.finalPart, etag }],
    ...(keepsMd5(gateway) ? { facts: plan.facts } : {}),
    ...(condition === undefined ? {} : { condition }),
  }
  return gateway.store.completeUpload(ref, options).catch(async (error: unknown) => {
    const invalid = error instanceof StoreError && error.refusal === 'invalid-part'
    if (!invalid || !(await streamedStand(gateway, ref, plan))) throw error
    // Not the client's parts: an equal request wrote the last one at the same moment, and will complete the upload or let us.
    throw new Unavailable('the last part of the upload was written over meanwhile', { cause: error })
  })
}

/** Whether every part that the plan names is still the one that the backend has. */
async function streamedStand(gateway: Gateway, ref: UploadRef, { streamed }: PlanRecord): Promise<boolean> {
  const found = await backendParts(gateway, ref)
  return streamed.every(({ partNumber, etag }) => found.get(partNumber)?.etag === etag)
}

async function* finalPart(gateway: Gateway, request: OperationRequest, ref: OpenUpload['ref'], plan: PlanRecord): Body {
  const { held, padBytes, finished } = plan
  if (held !== undefined)
    yield* (await gateway.uploads.openHeld(ref, held.partNumber, held.attempt, request.signal)).body
  yield [...zeroPieces(padBytes), finished]
}

/** Whether a failure may be the echo of a Complete that took place: the condition held once, and what it meets now is our own object. */
function mayBeCompleted(error: unknown): boolean {
  if (error instanceof Unavailable) return true
  if (error instanceof StoreError) {
    return ['no-such-upload', 'precondition-failed', 'no-such-key', 'conflict'].includes(error.refusal)
  }
  return error instanceof S3Error && ['PreconditionFailed', 'NoSuchUpload'].includes(error.code)
}

const isGone = (error: unknown): boolean => error instanceof StoreError && error.refusal === 'no-such-upload'

/** Refusals after which the upload stays and another request may complete it. */
function refusesForGood(error: unknown): boolean {
  if (error instanceof StoreError) return !['no-such-upload', 'conflict'].includes(error.refusal)
  return error instanceof S3Error && (error.status < 500 || error.status === 501) && error.code !== 'NoSuchUpload'
}

function respond(gateway: Gateway, request: OperationRequest, answer: CompleteAnswer): OperationResponse {
  const { bucket, key } = request
  const checksum = namedChecksum(answer)
  return {
    status: 200,
    headers: {
      ...toldOfRecord(gateway, answer.encryption),
      ...(answer.versionId === undefined ? {} : { 'x-amz-version-id': answer.versionId }),
    },
    body: renderComplete({
      location: request.urlOf(key),
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
