/** What a store that does not speak S3 keeps beside a version of an object: read and changed by the operations on its sub-resources. */
import { type Attributes, StoreError } from '../backends/object-store.ts'
import { S3Error } from '../s3/errors.ts'
import { requireBucket } from './configuration/configuration.ts'
import type { Gateway, OperationRequest } from './gateway.ts'
import { missing } from './sealed-object.ts'
import { versionOf } from './versions.ts'

/** The response header that names the version. */
type Named = Readonly<Record<string, string>>

/** Throws `NoSuchBucket` first (B93), `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker, `NotImplemented` for a store that keeps nothing. */
export async function readBeside(
  gateway: Gateway,
  request: OperationRequest,
): Promise<{ readonly attributes: Attributes; readonly headers: Named }> {
  const { store } = gateway
  const { bucket, key, query } = request
  await requireBucket(gateway, bucket)
  const version = versionOf(gateway, query.get('versionId'))
  if (store.attributesOf === undefined) throw keepsNothing(request)
  const { attributes, versionId } = await store.attributesOf(bucket, key, version).catch(refusalOf(request))
  return { attributes, headers: named(versionId) }
}

/** Changes them in one step, and names the version. Throws like `readBeside`; what `change` throws is thrown too, and nothing changes. */
export async function changeBeside(
  gateway: Gateway,
  request: OperationRequest,
  change: (current: Attributes) => Attributes,
): Promise<Named> {
  const { store } = gateway
  const { bucket, key, query } = request
  const version = versionOf(gateway, query.get('versionId'))
  if (store.changeAttributes === undefined) throw keepsNothing(request)
  const { versionId } = await store.changeAttributes(bucket, key, version, change).catch(refusalOf(request))
  return named(versionId)
}

/** Keeps one of them, or takes it away. */
export const setBeside = (
  gateway: Gateway,
  request: OperationRequest,
  name: string,
  value: string | undefined,
): Promise<Named> =>
  changeBeside(gateway, request, (current) => {
    const { [name]: _, ...others } = current
    return value === undefined ? others : { ...others, [name]: value }
  })

const keepsNothing = ({ operation }: OperationRequest): S3Error =>
  new S3Error('NotImplemented', {
    message: `${operation} is not implemented. The store behind this endpoint keeps nothing beside objects.`,
  })

const named = (versionId: string | undefined): Named =>
  versionId === undefined ? {} : { 'x-amz-version-id': versionId }

/** A version that is missing is named; a delete marker has nothing beside it, whether it is named or is the newest version. */
const refusalOf =
  ({ method, bucket, key, query }: OperationRequest) =>
  (error: unknown): never => {
    if (!(error instanceof StoreError)) throw error
    const versionId = query.get('versionId')
    if (error.refusal === 'no-such-version' && versionId !== undefined) throw missing({ bucket, key, versionId }, error)
    const headers = error.answer?.attributes
    if (headers?.['x-amz-delete-marker'] !== 'true') throw error
    throw new S3Error('MethodNotAllowed', {
      extra: { Method: method, ResourceType: 'DeleteMarker' },
      headers: { ...headers, allow: 'DELETE' },
      cause: error,
    })
  }
