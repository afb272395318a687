/** What all configurations of a bucket have in common: a document that is checked, kept in S3's own spelling, and given back. */
import type { BucketInfo } from '../../backends/object-store.ts'
import { S3Error, type S3ErrorCode } from '../../s3/errors.ts'
import type { Gateway, Operation } from '../gateway.ts'
import { readDocument } from '../request-document.ts'
import { configurationWaits } from '../../telemetry/channels.ts'

/** One kind of configuration. */
export interface ConfigurationKind {
  /** Names it among the documents of a bucket; never change one. */
  readonly name: string
  /** Checks a request document and returns what GET shall answer. `requireWritable` throws `AccessDenied` for another bucket that the caller may not write to. Throws `S3Error`. */
  readonly accept: (
    document: Buffer,
    gateway: Gateway,
    bucket: BucketInfo,
    requireWritable: (other: string) => void,
  ) => string | Promise<string>
  /** What GET says while there is none: an error, or a document. */
  readonly absent: { readonly error: S3ErrorCode } | { readonly document: string }
  /** What GET says after a DELETE, where that is not what a new bucket says. */
  readonly removed?: S3ErrorCode
  /** For what nothing acts on yet, and `waiting.ts` reports under its name: whether a kept document asks for anything. */
  readonly waits?: (document: string) => boolean
}

/** Kept in the place of a document that was deleted, where that differs from one that was never put. */
const REMOVED = Buffer.alloc(0)

/** The document of a bucket that exists; `undefined` if none was put, '' if it was deleted and that differs. Throws `NoSuchBucket` (B93: before anything else). */
export async function readConfiguration(
  gateway: Gateway,
  bucket: string,
  { name }: Pick<ConfigurationKind, 'name'>,
): Promise<string | undefined> {
  await requireBucket(gateway, bucket)
  return (await gateway.documents.read(bucket, name))?.toString('utf8')
}

export async function requireBucket(gateway: Gateway, bucket: string): Promise<BucketInfo> {
  const found = await gateway.store.headBucket(bucket)
  if (found === undefined) throw new S3Error('NoSuchBucket', { extra: { BucketName: bucket } })
  return found
}

/** The documents that the gateway keeps for stores that speak S3: what they have of this is not what clients of a gateway mean. */
const KEPT_BESIDE_S3 = ['cors', 'encryption']

/** Removes what is kept of a bucket outside its store; a store's own documents go with the bucket. */
export async function forgetConfigurations({ store, documents }: Gateway, bucket: string): Promise<void> {
  if (store.documents !== undefined) return
  await Promise.all(KEPT_BESIDE_S3.map((name) => documents.remove(bucket, name)))
}

export const getConfiguration =
  (kind: ConfigurationKind): Operation =>
  async (gateway, { bucket }) => {
    const document = await readConfiguration(gateway, bucket, kind)
    if (document === '') throw missing(kind.removed ?? 'InternalError', bucket)
    if (document !== undefined) return { status: 200, body: document }
    if ('error' in kind.absent) throw missing(kind.absent.error, bucket)
    return { status: 200, body: kind.absent.document }
  }

const missing = (code: S3ErrorCode, bucket: string): S3Error => new S3Error(code, { extra: { BucketName: bucket } })

/** Nothing changes unless the document is accepted whole. */
export const putConfiguration =
  (kind: ConfigurationKind, status: 200 | 204 = 200): Operation =>
  async (gateway, request) => {
    const bucket = await requireBucket(gateway, request.bucket)
    const asked = await readDocument(request, gateway.limits.xmlBytes)
    const document = await kind.accept(asked, gateway, bucket, (other) => request.authorise('write', other, ''))
    await keepConfiguration(gateway, request.bucket, kind, document)
    return { status }
  }

/** Keeps an accepted document, and says so where nothing acts on it yet. */
export async function keepConfiguration(
  { documents }: Gateway,
  bucket: string,
  { name, waits: waitsWith }: Pick<ConfigurationKind, 'name' | 'waits'>,
  document: string,
): Promise<void> {
  const waits = waitsWith?.(document) === true
  await documents.write(bucket, name, Buffer.from(document), { waits })
  if (waits) configurationWaits.publish({ configuration: name, buckets: 1, bucket })
}

/** No error if there is none. */
export const deleteConfiguration =
  ({ name, removed }: Pick<ConfigurationKind, 'name' | 'removed'>): Operation =>
  async (gateway, { bucket }) => {
    const { documents } = gateway
    await requireBucket(gateway, bucket)
    if (removed === undefined) await documents.remove(bucket, name)
    else await documents.write(bucket, name, REMOVED)
    return { status: 204 }
  }

/** Names for rules that came without. */
export const newRuleId =
  ({ random }: Pick<Gateway, 'random'>): (() => string) =>
  () =>
    random(16).toString('hex')
