/** Whether a store knows version ids and sub-resources: asked of an object of our own, in a bucket that nothing depends on. */
import { Unavailable } from '../../errors.ts'
import { OPERATIONS } from '../../s3/operation.ts'
import { OPERATION_NAMES } from '../../s3/operation-name.ts'
import type { OperationRow } from '../../s3/operation-row.ts'
import { parseXml } from '../../s3/xml.ts'
import type { ObjectStore } from '../object-store.ts'
import { readBounded } from './client.ts'
import type { Subresource } from './subresources.ts'

/** What a trial throws for a sub-resource that the store does not know. */
export class Ignored extends Error {
  override readonly name = 'Ignored'
}

/** An object of our own, in a bucket of our own. */
export interface TrialObject {
  readonly bucket: string
  readonly key: string
  readonly text: string
}

/** One request at a time, the harmless ones first: what a store takes for another operation shows by its answer, or by what it did. Throws `Ignored`. */
export async function trySubresource(store: ObjectStore, at: TrialObject, name: Subresource): Promise<string> {
  const [resource = '', parameter = ''] = name.split('?')
  const methods = methodsOf(resource, parameter)
  for (const method of ['GET', 'PUT', 'DELETE', 'POST'] as const) {
    if (!methods.has(method)) continue
    const answer = await ask(store, at, { resource, parameter, method })
    if (taken(answer, at, method)) throw new Ignored(`${method} ?${parameter} is taken for one without ?${parameter}`)
    await requireUnharmed(store, at, `${method} ?${parameter}`)
  }
  return `?${parameter} is known, or refused`
}

function methodsOf(resource: string, parameter: string): ReadonlySet<OperationRow['method']> {
  const rows = OPERATION_NAMES.map((operation): OperationRow => OPERATIONS[operation])
  const here = rows.filter((row) => row.resource === resource && row.subresource === parameter)
  return new Set(here.map(({ method }) => method))
}

/** No store has given this id to a version, though some would give one of its shape. */
const OTHER_VERSION = '3f7a0f5e-9c1c-4b1e-8f5b-2d6f0a1b2c3d'

/** A store without versions does with an object what it was asked to do with a version that is not there. Throws `Ignored`. */
export async function tryVersions(store: ObjectStore, at: TrialObject): Promise<string> {
  const { bucket, key } = at
  const other = { versionId: OTHER_VERSION }
  const found = await store.get(bucket, key, other).catch(unlessUnavailable)
  await found?.body[Symbol.asyncIterator]().return?.()
  if (found !== undefined) throw new Ignored('a GET of a version that is not there gives an object')
  await store.delete(bucket, key, other).catch(unlessUnavailable)
  await requireUnharmed(store, at, 'a DELETE of a version that is not there')
  return 'a version id is not ignored'
}

function unlessUnavailable(error: unknown): undefined {
  if (error instanceof Unavailable) throw error
  return undefined
}

interface Asked {
  readonly resource: string
  readonly parameter: string
  readonly method: OperationRow['method']
}

interface Answer {
  readonly code: string | undefined
  readonly body: Buffer
}

/**
 * Without a body: what knows the sub-resource misses its document, and what does not has all that it needs. Some that know it fail
 * over such a document instead of refusing it (MinIO): a store that fails over another one too, and is well otherwise, has read them.
 */
async function ask(store: ObjectStore, at: TrialObject, asked: Asked): Promise<Answer> {
  if (asked.method !== 'PUT') return send(store, at, asked, Buffer.alloc(0))
  for (const document of ['', '<Trial/>']) {
    try {
      return await send(store, at, asked, Buffer.from(document))
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
    }
  }
  await requireUnharmed(store, at, `PUT ?${asked.parameter}`)
  return { code: 'InternalError', body: Buffer.alloc(0) }
}

async function send(
  store: ObjectStore,
  { bucket, key }: TrialObject,
  { resource, parameter, method }: Asked,
  document: Buffer,
): Promise<Answer> {
  if (store.forward === undefined) throw new Ignored('nothing is forwarded')
  const response = await store.forward({
    method,
    bucket,
    key: resource === 'object' ? key : '',
    rawQuery: `${parameter}=${WITH_ID.has(parameter) ? '&id=trial' : ''}`,
    headers: {},
    body: document,
    signal: AbortSignal.timeout(TRIAL_MILLISECONDS),
  })
  return { code: response.refused?.code, body: await readBounded(response) }
}

const TRIAL_MILLISECONDS = 60_000
const WITH_ID = new Set(['analytics', 'intelligent-tiering', 'inventory', 'metrics'])

function taken({ code, body }: Answer, { text }: TrialObject, method: string): boolean {
  if (code !== undefined) return OF_BUCKETS.has(code)
  if (method === 'GET') return body.toString('latin1') === text || rootOf(body) === 'ListBucketResult'
  return method === 'PUT'
}

/** What only a request to make or delete the bucket itself is answered. */
const OF_BUCKETS = new Set(['BucketAlreadyExists', 'BucketAlreadyOwnedByYou', 'BucketNotEmpty', 'NoSuchBucket'])

function rootOf(document: Buffer): string | undefined {
  try {
    return parseXml(document, document.length).name
  } catch {
    return undefined
  }
}

async function requireUnharmed(store: ObjectStore, { bucket, key, text }: TrialObject, what: string): Promise<void> {
  const info = await store.head(bucket, key)
  if (info?.size !== text.length) throw new Ignored(`after ${what} an object is not what it was`)
}
