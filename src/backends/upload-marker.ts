import { StoreError } from './object-store.ts'

/** Refuses, in S3's words, an upload to go on after that no store of ours can have made. One that is gone is another matter. */
export function checkUploadMarker(uploadId: string | undefined): void {
  if (uploadId === undefined || /^[0-9a-f]{32}$/.test(uploadId)) return
  const answer = { status: 400, code: 'InvalidArgument', message: 'Invalid uploadId marker', attributes: {} }
  throw new StoreError('native', `${JSON.stringify(uploadId)} is no upload id`, undefined, answer)
}
