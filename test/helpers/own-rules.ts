import type { BucketRules } from '../../src/gateway/gateway.ts'

/** The rules of a bucket that the settings do not name. */
export const ownRules = (bucket: string): BucketRules => ({
  namespace: bucket,
  manager: undefined,
  copy: 'rewrap',
  contents: 'sealed',
  sealedSince: undefined,
  cors: [],
})
