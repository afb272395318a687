import {
  type DeleteEntry as StoreEntry,
  type DeleteOutcome,
  type DeleteResult,
  StoreError,
  type StoreRefusal,
} from '../backends/object-store.ts'
import { type DeleteEntry, MAX_DELETE_BYTES, parseDelete } from '../s3/delete-xml.ts'
import { S3Error, type S3ErrorCode } from '../s3/errors.ts'
import { type Deleted, type NotDeleted, renderDelete } from '../s3/result-xml.ts'
import { attributesFor, type ForStore } from './attributes.ts'
import { deleteUnder } from './delete-object.ts'
import { storeEtagOf } from './etag.ts'
import type { Gateway, Operation, OperationRequest } from './gateway.ts'
import { readDocument } from './request-document.ts'
import { versionOf } from './versions.ts'

/** Deletions that run side by side: enough to share the store's commits, few enough to bound its queue. */
const PARALLEL = 32

/** DeleteObjects: up to 1,000 keys, each with its own right, condition and error inside a 200. */
export const deleteObjects: Operation = async (gateway, request) => {
  const { headers } = request
  const digested =
    headers.has('content-md5') ||
    [...headers.names()].some((name) => name.startsWith('x-amz-checksum-') || name === 'x-amz-trailer')
  if (!digested)
    throw new S3Error('InvalidRequest', {
      message: 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    })
  const { quiet, objects } = parseDelete(
    await readDocument(request, Math.min(gateway.limits.xmlBytes, MAX_DELETE_BYTES)),
  )
  const { near } = gateway.store.capabilities
  if (near && (await gateway.store.headBucket(request.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  const outcomes = await deleteAll(gateway, request, objects)
  return {
    status: 200,
    body: renderDelete({
      deleted: outcomes.filter((outcome): outcome is Deleted => !('code' in outcome)),
      errors: outcomes.filter((outcome) => 'code' in outcome),
      quiet,
    }),
  }
}

type Outcome = Deleted | NotDeleted

async function deleteAll(
  gateway: Gateway,
  request: OperationRequest,
  objects: readonly DeleteEntry[],
): Promise<Outcome[]> {
  const { store } = gateway
  const options = await attributesFor(gateway, 'DeleteObjects', request)
  if (store.deleteMany === undefined) return inSlices(objects, (object) => deleteOne(gateway, request, object, options))
  const refused = new Map<DeleteEntry, Outcome>()
  const entries: { readonly object: DeleteEntry; readonly entry: StoreEntry }[] = []
  for (const object of objects) {
    try {
      check(request, object)
      entries.push({ object, entry: storeEntry(gateway, object) })
    } catch (error) {
      refused.set(object, failed(object, error))
    }
  }
  const results =
    entries.length === 0
      ? []
      : await store.deleteMany(
          request.bucket,
          entries.map(({ entry }) => entry),
          options,
        )
  const outcomes = new Map(entries.map(({ object }, at) => [object, results[at]]))
  return objects.map((object) => refused.get(object) ?? named(object, outcomes.get(object)))
}

async function inSlices(
  objects: readonly DeleteEntry[],
  run: (object: DeleteEntry) => Promise<Outcome>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let at = 0; at < objects.length; at += PARALLEL) {
    outcomes.push(...(await Promise.all(objects.slice(at, at + PARALLEL).map(run))))
  }
  return outcomes
}

function named({ key, versionId }: DeleteEntry, outcome: DeleteOutcome | undefined): Outcome {
  const name = { key, ...(versionId === undefined ? {} : { versionId }) }
  return {
    ...name,
    ...(outcome ?? { code: 'InternalError', message: 'The store did not say what became of this key.' }),
  }
}

/** Throws for a key that the caller may not delete, or that the document itself refuses. */
function check(request: OperationRequest, { key, error }: DeleteEntry): void {
  request.authorise('write', request.bucket, key)
  if (error !== undefined) throw new S3Error(error.code, { message: error.message })
}

function storeEntry(gateway: Gateway, { key, versionId, etag }: DeleteEntry): StoreEntry {
  const entry = { key, ...versionOf(gateway, versionId) }
  if (etag === undefined) return entry
  if (!gateway.store.capabilities.conditionalDelete) {
    throw new S3Error('NotImplemented', { message: 'The store behind this endpoint has no conditional deletes.' })
  }
  const ifMatch = etag === '*' ? etag : storeEtagOf(etag)
  if (ifMatch === undefined) throw new S3Error('PreconditionFailed')
  return { ...entry, ifMatch }
}

async function deleteOne(
  gateway: Gateway,
  request: OperationRequest,
  object: DeleteEntry,
  { attributes }: ForStore,
): Promise<Outcome> {
  const { bucket } = request
  const { key, etag, versionId } = object
  try {
    check(request, object)
    const place = { bucket, key, ...versionOf(gateway, versionId) }
    return outcomeOf(object, await deleteUnder(gateway, place, etag, attributes))
  } catch (error) {
    if (error instanceof StoreError && error.refusal === 'no-such-bucket') throw error
    return failed(object, error)
  }
}

/** What was deleted: a version, a delete marker by its own id, or the key, which a new marker says. */
function outcomeOf({ key, versionId }: DeleteEntry, { attributes = {} }: DeleteResult): Deleted {
  const deleted = { key, ...(versionId === undefined ? {} : { versionId }) }
  const markerId = attributes['x-amz-delete-marker'] === 'true' ? attributes['x-amz-version-id'] : undefined
  return markerId === undefined ? deleted : { ...deleted, deleteMarker: true, deleteMarkerVersionId: markerId }
}

/** Refusals of a store that concern one key. */
const REFUSALS: Readonly<Partial<Record<StoreRefusal, S3ErrorCode>>> = {
  locked: 'AccessDenied',
  'no-such-version': 'NoSuchVersion',
}

function failed({ key, versionId }: DeleteEntry, error: unknown): NotDeleted {
  const name = { key, ...(versionId === undefined ? {} : { versionId }) }
  if (error instanceof S3Error) return { ...name, code: error.code, message: error.message }
  const refused = error instanceof StoreError ? error : undefined
  if (refused?.answer !== undefined) return { ...name, code: refused.answer.code, message: refused.answer.message }
  const code = refused === undefined ? undefined : REFUSALS[refused.refusal]
  if (refused !== undefined && code !== undefined) return { ...name, code, message: refused.message }
  return { ...name, code: 'InternalError', message: 'An internal error occurred. Try again.' }
}
