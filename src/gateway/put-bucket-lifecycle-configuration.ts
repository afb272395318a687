import { storedSize } from '../format/sizes.ts'
import { mapSizeThresholds } from '../s3/lifecycle-sizes.ts'
import { putLifecycle } from './configuration/lifecycle.ts'
import { forwardRequest } from './forward.ts'
import type { Operation } from './gateway.ts'

/**
 * PutBucketLifecycleConfiguration: the store's own rules, with sizes as the store sees them. The stored size of an object is a
 * function of its plaintext size that only grows (docs/format.md, "Object body"), so that each rule keeps its meaning exactly.
 */
export const putBucketLifecycleConfiguration: Operation = (gateway, request) =>
  gateway.store.capabilities.native
    ? forwardRequest(gateway, request, {
        request: (document) => mapSizeThresholds(document, gateway.limits.xmlBytes, storedSize),
      })
    : putLifecycle(gateway, request)
