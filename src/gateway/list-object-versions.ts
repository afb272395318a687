import { S3Error } from '../s3/errors.ts'
import type { Operation } from './gateway.ts'
import { listNative } from './list-objects.ts'

/** ListObjectVersions, where the store has versions. */
export const listObjectVersions: Operation = async (gateway, request) => {
  if (!gateway.store.capabilities.native) {
    throw new S3Error('NotImplemented', { message: 'The embedded store has no object versions yet.' })
  }
  return listNative(gateway, request)
}
