import { StoreError } from '../../backends/object-store.ts'
import type { Operation } from '../gateway.ts'
import { noSuchUpload, uploadOf } from './upload-of.ts'

/** AbortMultipartUpload: the backend first, which decides between an abort and a Complete at the same moment; then our state. */
export const abortMultipartUpload: Operation = async (gateway, request) => {
  const { ref } = await uploadOf(gateway, request)
  try {
    await gateway.store.abortUpload(ref)
  } catch (error) {
    throw error instanceof StoreError && error.refusal === 'no-such-upload' ? noSuchUpload(ref, error) : error
  }
  await gateway.uploads.drop(ref)
  return { status: 204 }
}
