import { Unavailable } from '../errors.ts'
import { plaintextSize } from '../format/sizes.ts'
import { mapSizeThresholds } from '../s3/lifecycle-sizes.ts'
import { getLifecycle } from './configuration/lifecycle.ts'
import { forwardRequest } from './forward.ts'
import type { Operation } from './gateway.ts'

/** GetBucketLifecycleConfiguration: sizes as the client gave them. One that no sealed object has was written at the store itself, and stays. */
export const getBucketLifecycleConfiguration: Operation = (gateway, request) =>
  gateway.store.capabilities.native
    ? forwardRequest(gateway, request, { answer: asTheClientKnowsIt })
    : getLifecycle(gateway, request)

/** Throws `Unavailable` for a document that is none: it is the store's fault, not the client's. */
function asTheClientKnowsIt(document: Buffer): Buffer {
  try {
    return mapSizeThresholds(document, document.length, (stored) => plaintextSize(stored) ?? stored)
  } catch (cause) {
    throw new Unavailable('the lifecycle rules that the store gave cannot be read', { cause })
  }
}
