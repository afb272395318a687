import { forgetConfigurations } from './configuration/configuration.ts'
import type { Operation } from './gateway.ts'

/** DeleteBucket: only an empty one; uploads in progress and configurations go with it. */
export const deleteBucket: Operation = async (gateway, request) => {
  await gateway.store.deleteBucket(request.bucket)
  await forgetConfigurations(gateway, request.bucket)
  return { status: 204 }
}
