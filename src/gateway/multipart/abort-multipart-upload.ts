import { StoreError } from '../../backends/object-store.ts'
import type { Operation } from '../gateway.ts'
import { noSuchUpload, uploadOf } from './upload-of.ts'

/**
 * AbortMultipartUpload: the backend first, which decides between an abort and a Complete at the same moment; then our state.
 * Repeated after it broke off between the two, it finishes: without a plan nobody has completed what the backend no longer knows.
 */
export const abortMultipartUpload: Operation = async (gateway, request) => {
  const { ref, namespace } = await uploadOf(gateway, request)
  try {
    await gateway.store.abortUpload(ref)
  } catch (error) {
    if (!(error instanceof StoreError && error.refusal === 'no-such-upload')) throw error
    const plan = await gateway.uploads.plan(ref, namespace)
    if (plan !== undefined && plan.record.state === 'open') throw noSuchUpload(ref, error)
  }
  await gateway.uploads.drop(ref)
  return { status: 204 }
}
