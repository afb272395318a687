/** Not a client but a list of requests, each answer compared with MinIO's: see ../differential/run.mjs. */
import { differential as run } from '../differential/run.mjs'

export const differential = {
  name: 'differential',
  label: 'Differential test against MinIO',
  notes:
    'The same requests against bare MinIO, a gateway over MinIO and one over its own store. The differences stand in docs/s3-compatibility.md.',
  /** Its stores are its own. */
  leavesNothing: true,
  cannot: (_options, store) => (store.name === 'minio' ? undefined : 'its differences are explained against MinIO'),
  install: () => ({ version: '' }),
  run,
}
