import type { ListVersionsPage, ObjectStore } from '../backends/object-store.ts'
import { S3Error } from '../s3/errors.ts'
import { type ListVersionsRequest, parseListVersions } from '../s3/listing-parameters.ts'
import { renderListVersions } from '../s3/versions-xml.ts'
import type { Operation } from './gateway.ts'
import { listedEntries, listNative } from './list-objects.ts'

/** ListObjectVersions, where the store has versions: one page of the store is one page of the answer. */
export const listObjectVersions: Operation = async (gateway, request) => {
  const { store, owner } = gateway
  const { bucket } = request
  if (store.capabilities.native) return listNative(gateway, request)
  const asked = parseListVersions(request.query)
  const { versions, commonPrefixes, truncated } = await pageOf(store, bucket, asked)
  const objects = versions.filter(({ deleteMarker }) => !deleteMarker)
  const described = await listedEntries(gateway, bucket, objects)
  const of = new Map(objects.map((version, at) => [version, described[at]]))
  const entries = versions.map((version) => {
    const { key, versionId, latest, lastModified } = version
    const object = of.get(version)
    return { key, versionId, latest, lastModified, ...(object === undefined ? {} : { object }) }
  })
  return {
    status: 200,
    body: renderListVersions({ bucket, request: asked, entries, commonPrefixes, truncated, owner }),
  }
}

async function pageOf(store: ObjectStore, bucket: string, asked: ListVersionsRequest): Promise<ListVersionsPage> {
  if (store.listVersions === undefined) {
    throw new S3Error('NotImplemented', { message: 'The store behind this endpoint has no object versions.' })
  }
  const { prefix, delimiter, maxKeys, start, versionIdMarker } = asked
  if (maxKeys === 0) {
    if ((await store.headBucket(bucket)) === undefined) throw new S3Error('NoSuchBucket')
    return { versions: [], commonPrefixes: [], truncated: false }
  }
  return store.listVersions(bucket, {
    prefix,
    limit: maxKeys,
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(start === undefined ? {} : { afterKey: start.after, afterPrefix: start.afterPrefix }),
    ...(versionIdMarker === undefined || start?.afterPrefix === true ? {} : { afterVersionId: versionIdMarker }),
  })
}
