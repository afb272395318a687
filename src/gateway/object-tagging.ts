/** GetObjectTagging, PutObjectTagging, DeleteObjectTagging, where the store does not speak S3 (B69). */
import { parseObjectTagging, renderTagging, renderTaggingHeader, TAGGING_HEADER, tagsOfHeader } from '../s3/tags.ts'
import { requireBucket } from './configuration/configuration.ts'
import type { Operation } from './gateway.ts'
import { readBeside, setBeside } from './kept-beside.ts'
import { readDocument } from './request-document.ts'

export const getObjectTagging: Operation = async (gateway, request) => {
  const { attributes, headers } = await readBeside(gateway, request)
  return { status: 200, headers, body: renderTagging(tagsOfHeader(attributes[TAGGING_HEADER] ?? '')) }
}

export const putObjectTagging: Operation = async (gateway, request) => {
  const { xmlBytes } = gateway.limits
  await requireBucket(gateway, request.bucket)
  const tags = renderTaggingHeader(parseObjectTagging(await readDocument(request, xmlBytes), xmlBytes))
  return { status: 200, headers: await setBeside(gateway, request, TAGGING_HEADER, tags || undefined) }
}

/** No error if there are none. */
export const deleteObjectTagging: Operation = async (gateway, request) => {
  await requireBucket(gateway, request.bucket)
  return { status: 204, headers: await setBeside(gateway, request, TAGGING_HEADER, undefined) }
}
