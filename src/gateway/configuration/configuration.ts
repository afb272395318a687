/** What all configurations of a bucket have in common: a document that is checked, kept in S3's own spelling, and given back. */
import { S3Error, type S3ErrorCode } from '../../s3/errors.ts'
import type { Gateway, Operation } from '../gateway.ts'
import { readDocument } from '../request-document.ts'

/** One kind of configuration. */
export interface ConfigurationKind {
  /** Names it among the documents of a bucket; never change one. */
  readonly name: string
  /** Checks a request document and returns what GET shall answer. Throws `S3Error`. */
  readonly accept: (document: Buffer, gateway: Gateway) => string
  /** What GET says while there is none: an error, or a document. */
  readonly absent: { readonly error: S3ErrorCode } | { readonly document: string }
}

/** The document of a bucket that exists; `undefined` if none was put. Throws `NoSuchBucket` (B93: before anything else). */
export async function readConfiguration(
  gateway: Gateway,
  bucket: string,
  { name }: Pick<ConfigurationKind, 'name'>,
): Promise<string | undefined> {
  await requireBucket(gateway, bucket)
  return (await gateway.documents.read(bucket, name))?.toString('utf8')
}

export async function requireBucket(gateway: Gateway, bucket: string): Promise<void> {
  if ((await gateway.store.headBucket(bucket)) === undefined) throw new S3Error('NoSuchBucket')
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
    if (document !== undefined) return { status: 200, body: document }
    if ('error' in kind.absent) throw new S3Error(kind.absent.error, { extra: { BucketName: bucket } })
    return { status: 200, body: kind.absent.document }
  }

/** Nothing changes unless the document is accepted whole. */
export const putConfiguration =
  (kind: ConfigurationKind, status: 200 | 204 = 200): Operation =>
  async (gateway, request) => {
    await requireBucket(gateway, request.bucket)
    const document = kind.accept(await readDocument(request, gateway.limits.xmlBytes), gateway)
    await gateway.documents.write(request.bucket, kind.name, Buffer.from(document))
    return { status }
  }

/** No error if there is none. */
export const deleteConfiguration =
  (kind: Pick<ConfigurationKind, 'name'>): Operation =>
  async (gateway, { bucket }) => {
    await requireBucket(gateway, bucket)
    await gateway.documents.remove(bucket, kind.name)
    return { status: 204 }
  }
