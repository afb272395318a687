/** A gateway over each kind of store, for behaviour that must not depend on it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalStore } from '../../src/backends/local.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { startGateway, type TestGateway, type TestGatewayOptions } from './gateway.ts'
import { s3Store } from './s3-store.ts'

export interface World {
  readonly running: TestGateway
  readonly store: ObjectStore
  /** What an answer says of encryption where nobody asked for any. */
  readonly sign: string | undefined
  readonly close: () => Promise<void>
}

/** By name, how each is started. */
export const worldsOf = (options: TestGatewayOptions): Record<string, () => Promise<World>> => ({
  'over memory': async () => {
    const running = await startGateway(options)
    return { running, store: running.store, sign: undefined, close: () => running.close() }
  },
  'over a folder': async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sealgate-world-'))
    const store = await LocalStore.open({ folder })
    const running = await startGateway({ ...options, store })
    const close = async (): Promise<void> => {
      await running.close()
      await store.close()
      rmSync(folder, { recursive: true })
    }
    return { running, store, sign: undefined, close }
  },
  'over a remote store': async () => {
    const backend = await startGateway()
    const store = s3Store({ endpoint: backend.endpoint, profile: { versions: false, tags: false } })
    const running = await startGateway({ ...options, store })
    const close = async (): Promise<void> => {
      await running.close()
      await store.close()
      await backend.close()
    }
    return { running, store, sign: 'aws:kms', close }
  },
})
