import { StoreError } from '../../backends/object-store.ts'
import type { Operation } from '../gateway.ts'
import { findCompleted } from './completed.ts'
import { noSuchUpload, uploadOf } from './upload-of.ts'

/**
 * AbortMultipartUpload: the backend first, which decides between an abort and a Complete at the same moment; then our state.
 * Repeated after it broke off between the two, it finishes: without a plan nobody has completed what the backend no longer knows.
 */
export const abortMultipartUpload: Operation = async (gateway, request) => {
  const upload = await uploadOf(gateway, request)
  const { ref, namespace } = upload
  let gone: StoreError | undefined
  try {
    await gateway.store.abortUpload(ref)
  } catch (error) {
    if (!(error instanceof StoreError && error.refusal === 'no-such-upload')) throw error
    gone = error
  }
  const plan = await gateway.uploads.plan(ref, namespace)
  if (plan !== undefined && plan.record.state === 'open') {
    // Some stores say yes to the abort of an upload that is completed already: the plan's object, if it is there, knows better.
    if (gone !== undefined || (await findCompleted(gateway, upload, plan.record, request.signal)) !== undefined) {
      throw noSuchUpload(ref, gone)
    }
  }
  // A plan goes only after the outcome was recorded.
  if ((await gateway.uploads.done(ref, namespace)) !== undefined) throw noSuchUpload(ref, gone)
  await gateway.uploads.drop(ref)
  return { status: 204 }
}
