/** Copies beyond what one request may carry: the bytes stay in the store, in parts of any boundaries (docs/format.md, "Copies"). */
import { Unavailable } from '../../errors.ts'
import { taggingOf, withoutDirectives } from '../../s3/copied-tags.ts'
import { unquoteEtag } from '../../s3/etag.ts'
import { childText } from '../../s3/xml.ts'
import { type CopyOptions, type CopySource, type ObjectStore, StoreError, type WriteResult } from '../object-store.ts'
import { readBounded, type StoreRequests } from './client.ts'
import { readDocument } from './documents.ts'
import { failureIn } from './errors.ts'
import { copySourceHeaders } from './headers.ts'

export interface PartCopy {
  readonly source: CopySource
  readonly target: { readonly bucket: string; readonly key: string }
  readonly options: CopyOptions
  /** Bytes of each part but the last. */
  readonly partBytes: number
  /** The store has object tags: a copy carries them over unless it is told otherwise. */
  readonly tags: boolean
}

const PARALLEL = 4

/** Begins an upload, copies its parts and completes it; what goes wrong leaves no upload behind. */
export async function copyInParts(store: ObjectStore, client: StoreRequests, copy: PartCopy): Promise<WriteResult> {
  const { target, options } = copy
  const uploadId = await store.createUpload(target.bucket, target.key, {
    metadata: options.metadata,
    attributes: await uploadAttributes(client, copy),
  })
  const ref = { ...target, uploadId }
  try {
    const parts = await copyParts(client, copy, uploadId)
    await requireSame(store, copy)
    const { condition } = options
    return await store
      .completeUpload(ref, { parts, ...(condition === undefined ? {} : { condition }) })
      .catch((error: unknown) => completedBefore(store, copy, error))
  } catch (error) {
    await store.abortUpload(ref).catch(() => undefined)
    throw error
  }
}

/** Not every store judges a condition on the source of a part: another object may lie there by now. A version stays what it is. */
async function requireSame(store: ObjectStore, { source, options }: PartCopy): Promise<void> {
  if (source.versionId !== undefined) return
  const info = await store.head(source.bucket, source.key)
  if (info?.etag === options.sourceIfMatch) return
  throw new StoreError('precondition-failed', `the source ${source.key} has changed`)
}

/** A Complete whose answer was lost has done its work: sent again, it finds no upload. What is there then tells. */
async function completedBefore(
  store: ObjectStore,
  { target, options }: PartCopy,
  error: unknown,
): Promise<WriteResult> {
  const ambiguous = error instanceof Unavailable || (error instanceof StoreError && error.refusal === 'no-such-upload')
  const info = ambiguous ? await store.head(target.bucket, target.key).catch(() => undefined) : undefined
  const wanted = Object.entries(options.metadata)
  const ours = wanted.length > 0 && wanted.every(([name, value]) => info?.metadata[name] === value)
  if (info === undefined || !ours) throw error
  return info
}

async function copyParts(
  client: StoreRequests,
  { source, target, options, partBytes }: PartCopy,
  uploadId: string,
): Promise<{ partNumber: number; etag: string }[]> {
  const count = Math.ceil(options.size / partBytes)
  const etags: string[] = Array.from({ length: count }, () => '')
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) {
      const first = at * partBytes
      const last = Math.min(first + partBytes, options.size) - 1
      const part = { source, target, options, uploadId, partNumber: at + 1, first, last }
      etags[at] = await copyPart(client, part).catch((error: unknown) => {
        next = count
        throw error
      })
    }
  }
  // All of them, also after a failure: a part that arrives after the upload was aborted may stay for ever.
  const workers = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL, count) }, worker))
  for (const one of workers) if (one.status === 'rejected') throw one.reason
  return etags.map((etag, at) => ({ partNumber: at + 1, etag }))
}

interface OnePart extends Pick<PartCopy, 'source' | 'target' | 'options'> {
  readonly uploadId: string
  readonly partNumber: number
  readonly first: number
  readonly last: number
}

function copyPart(client: StoreRequests, part: OnePart): Promise<string> {
  const { source, target, options, uploadId, partNumber, first, last } = part
  return client.sendAndRead(
    {
      what: 'UploadPartCopy',
      method: 'PUT',
      ...target,
      query: [
        ['partNumber', String(partNumber)],
        ['uploadId', uploadId],
      ],
      headers: {
        ...copySourceHeaders(source, options),
        'x-amz-copy-source-range': `bytes=${first}-${last}`,
      },
    },
    async (response) => {
      const root = readDocument(await readBounded(response))
      const failure = failureIn(root, response.headers)
      if (failure !== undefined) return { failure }
      const etag = unquoteEtag(childText(root, 'ETag') ?? '')
      if (etag === '') throw new Unavailable('the store did not name the ETag of a part that it copied')
      return { value: etag }
    },
  )
}

/** An upload knows nothing of a source: its tags are read, unless the copy brings its own. */
async function uploadAttributes(client: StoreRequests, { source, options, tags }: PartCopy) {
  const given = options.attributes ?? {}
  const attributes = withoutDirectives(given)
  if (!tags || given['x-amz-tagging-directive'] === 'REPLACE') return attributes
  const version = source.versionId === undefined ? [] : ([['versionId', source.versionId]] as const)
  const { bucket, key } = source
  const query = [['tagging', ''], ...version] as const
  const root = await client
    .sendAndRead({ what: 'GetObjectTagging', method: 'GET', bucket, key, query }, async (response) => ({
      value: readDocument(await readBounded(response)),
    }))
    .catch((error: unknown) => {
      // A store that has no tags at all: there are none to carry over.
      if (error instanceof StoreError && error.refusal === 'not-supported') return undefined
      throw error
    })
  const tagging = root === undefined ? undefined : taggingOf(root)
  return tagging === undefined ? attributes : { ...attributes, 'x-amz-tagging': tagging }
}
