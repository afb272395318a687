import { randomBytes } from 'node:crypto'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import type { Uploads } from '../../src/state/uploads.ts'

/** Uploads of these keys, as a gateway records them that began them at that time. */
export async function createUploads(
  { backend, uploads }: { readonly backend: Pick<ObjectStore, 'createUpload'>; readonly uploads: Uploads },
  {
    bucket,
    keys,
    initiated,
  }: { readonly bucket: string; readonly keys: readonly string[]; readonly initiated: number },
): Promise<void> {
  for (const key of keys) {
    const ref = { bucket, key, uploadId: await backend.createUpload(bucket, key, { metadata: {} }) }
    const secrets = { objectKey: takeSecret(randomBytes(32)), envelope: randomBytes(40) }
    await uploads.create(bucket, { ...ref, ...secrets, area: undefined, checksum: undefined, initiated })
  }
}
