// What every store promises (src/backends/object-store.ts). A store's test file calls `objectStoreContract` with a way to make an empty one.
import { describe, test } from 'vitest'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { attributesContract } from './object-store/attributes.ts'
import { makeBench } from './object-store/bench.ts'
import { bucketsContract } from './object-store/buckets.ts'
import { conditionsContract } from './object-store/conditions.ts'
import { documentsContract } from './object-store/documents.ts'
import { listingContract } from './object-store/listing.ts'
import { objectsContract } from './object-store/objects.ts'
import { uploadsContract } from './object-store/uploads.ts'
import { lockedVersionsContract, versionListingContract } from './object-store/version-listing.ts'
import { versionSequencesContract } from './object-store/version-sequences.ts'
import { versionsContract } from './object-store/versions.ts'

export interface ContractOptions {
  /** An empty store. */
  readonly open: () => Promise<ObjectStore>
  /** The store is another S3 server: what S3 itself does not promise is not asked for. */
  readonly remote?: boolean
  /** Called with the store of all tests at the end. */
  readonly close?: (store: ObjectStore) => Promise<void>
}

export function objectStoreContract(
  name: string,
  { open, remote = false, close = (store) => store.close() }: ContractOptions,
): void {
  describe(`the object store contract: ${name}`, () => {
    const bench = makeBench({ open, close, remote })
    bucketsContract(bench)
    objectsContract(bench)
    conditionsContract(bench)
    listingContract(bench)
    uploadsContract(bench)
    documentsContract(bench)
    attributesContract(bench)
    versionsContract(bench)
    lockedVersionsContract(bench)
    versionListingContract(bench)
    versionSequencesContract(bench)

    test('a store that works says so', async () => {
      await bench.store.health()
    })
  })
}
