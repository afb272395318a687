import type { Operation } from './gateway.ts'

/** DeleteBucket: only an empty one; uploads in progress go with it. */
export const deleteBucket: Operation = async (gateway, request) => {
  await gateway.store.deleteBucket(request.bucket)
  return { status: 204 }
}
