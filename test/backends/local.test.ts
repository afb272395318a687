import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalStore } from '../../src/backends/local.ts'
import { objectStoreContract } from '../contract/object-store.contract.ts'

for (const inlineBytes of [0, 8 * 1024]) {
  let folder = ''
  objectStoreContract(`local, bodies up to ${inlineBytes} bytes in the index`, {
    open: () => {
      folder = mkdtempSync(join(tmpdir(), 'sealgate-local-'))
      return LocalStore.open({ folder, inlineBytes })
    },
    close: async (store) => {
      await store.close()
      rmSync(folder, { recursive: true })
    },
  })
}
