import type { UploadInfo } from '../../backends/object-store.ts'
import { S3Error } from '../../s3/errors.ts'
import { type ListUploadsRequest, parseListUploads } from '../../s3/listing-parameters.ts'
import { renderListUploads } from '../../s3/listing-other-xml.ts'
import type { Gateway, Operation } from '../gateway.ts'

/** ListMultipartUploads: by key, then initiation; a common prefix counts as one. */
export const listMultipartUploads: Operation = async (gateway, request) => {
  const asked = parseListUploads(request.query)
  if ((await gateway.store.headBucket(request.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  const page = await collect(gateway, request.bucket, asked)
  return {
    status: 200,
    body: renderListUploads({ bucket: request.bucket, request: asked, owner: gateway.owner, ...page }),
  }
}

interface Page {
  readonly uploads: UploadInfo[]
  readonly commonPrefixes: string[]
  readonly truncated: boolean
}

async function collect(gateway: Gateway, bucket: string, asked: ListUploadsRequest): Promise<Page> {
  const uploads: UploadInfo[] = []
  const commonPrefixes: string[] = []
  const full = (): boolean => uploads.length + commonPrefixes.length === asked.maxUploads
  if (asked.maxUploads === 0) return { uploads, commonPrefixes, truncated: false }
  for await (const upload of following(gateway, bucket, asked)) {
    const common = commonPrefixOf(upload.key, asked)
    if (common !== undefined && (common === commonPrefixes.at(-1) || common === skipped(asked))) continue
    if (full()) return { uploads, commonPrefixes, truncated: true }
    if (common === undefined) uploads.push(upload)
    else commonPrefixes.push(common)
  }
  return { uploads, commonPrefixes, truncated: false }
}

/** The common prefix that an earlier page ended with: everything below it was counted there. */
function skipped({ start }: ListUploadsRequest): string | undefined {
  return start?.afterPrefix === true ? start.after : undefined
}

function commonPrefixOf(key: string, { prefix, delimiter }: ListUploadsRequest): string | undefined {
  if (delimiter === undefined) return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : key.slice(0, at + delimiter.length)
}

/** Requests to the state store side by side. */
const PARALLEL = 16

async function* following(gateway: Gateway, bucket: string, asked: ListUploadsRequest): AsyncGenerator<UploadInfo> {
  let afterKey = asked.keyMarker
  let afterUploadId = asked.uploadIdMarker
  for (;;) {
    const page = await gateway.store.listUploads(bucket, {
      prefix: asked.prefix,
      ...(afterKey === undefined ? {} : { afterKey }),
      ...(afterUploadId === undefined ? {} : { afterUploadId }),
      limit: 1_000,
    })
    for (let at = 0; at < page.uploads.length; at += PARALLEL) {
      const some = page.uploads.slice(at, at + PARALLEL)
      const ours = await Promise.all(some.map((one) => gateway.uploads.isClients({ bucket, ...one })))
      yield* some.filter((_, i) => ours[i])
    }
    const last = page.uploads.at(-1)
    if (!page.truncated || last === undefined) return
    afterKey = last.key
    afterUploadId = last.uploadId
  }
}
