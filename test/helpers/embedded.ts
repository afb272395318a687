/** The embedded store of a place: through a gateway that runs meanwhile, and past it. */
import { LocalStore } from '../../src/backends/local.ts'
import { S3Client } from '../../src/cli/s3-client.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Workplace } from './command.ts'

/** What clients do. */
export async function through<T>(place: Workplace, work: (client: S3Client) => Promise<T>): Promise<T> {
  const gateway = await place.serve()
  const settings = loadSettings({ env: { SEALGATE_DATA: place.path('sealgate-data') }, readFile: () => '' })
  const client = new S3Client(settings, { endpoint: gateway.endpoint })
  try {
    return await work(client)
  } finally {
    await client.close()
    await gateway.stop()
  }
}

/** No gateway may have it open. */
export async function withStore<T>(place: Workplace, work: (store: LocalStore) => Promise<T>): Promise<T> {
  const store = await LocalStore.open({ folder: place.path('sealgate-data/objects') })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}
