// How versions lie in the index, whatever the clock does.
import { expect, test } from 'vitest'
import { IndexDb } from '../../../src/backends/local/index-db.ts'
import { decodeObject } from '../../../src/backends/local/rows.ts'
import { LocalStore } from '../../../src/backends/local.ts'
import { bodyOf, bytes, KIB, putOptions } from '../../contract/object-store/bench.ts'
import { audit, CLEAN, newFolder } from './folder.ts'

async function openAt(folder: string, now: () => number): Promise<LocalStore> {
  const store = await LocalStore.open({ folder, now })
  if ((await store.headBucket('b')) === undefined) await store.createBucket('b')
  await store.updateBucket('b', { versioning: 'Enabled' })
  return store
}

const write = async (store: LocalStore, content: string | Buffer = 'x') =>
  (await store.put('b', 'k', bodyOf(content), putOptions())).versionId
const listed = async (store: LocalStore) =>
  (await store.listVersions('b', { prefix: '', limit: 1000 })).versions.map(({ versionId }) => versionId)

/** Rows of the table of null versions, and those that there should be. */
async function nulls(folder: string): Promise<{ known: string[]; there: string[] }> {
  const { tables, close } = await IndexDb.open(folder).then((index) => ({
    tables: index.tables,
    close: () => index.close(),
  }))
  const known = [...tables.nulls.getRange({})].map(({ value }) => value.toString('hex'))
  const there = [...tables.versions.getRange({})]
    .map(({ value }) => decodeObject(value).version)
    .flatMap((version) => (version?.isNull === true ? [version.sequence.toString(16).padStart(16, '0')] : []))
  await close()
  return { known: known.sort(), there: there.sort() }
}

test.each([
  ['stands still', () => () => 1_700_000_000_000],
  [
    'runs backwards',
    () => {
      let at = 1_700_000_000_000
      return () => (at -= 1_000)
    },
  ],
])('versions come in the order of their writing when the clock %s', async (_how, clock) => {
  const store = await openAt(newFolder(), clock())
  const ids: (string | undefined)[] = []
  for (let n = 0; n < 3; n += 1) {
    ids.unshift(await write(store))
    ids.unshift((await store.delete('b', 'k')).attributes?.['x-amz-version-id'])
  }
  expect(await listed(store)).toEqual(ids)
  await store.close()
})

test('an older null version that is deleted leaves nothing behind', async () => {
  const folder = newFolder()
  const store = await LocalStore.open({ folder })
  await store.createBucket('b')
  await write(store)
  await store.updateBucket('b', { versioning: 'Enabled' })
  await write(store)
  await store.delete('b', 'k', { versionId: 'null' })
  await store.close()
  expect(await nulls(folder)).toEqual({ known: [], there: [] })
})

test('null versions leave nothing behind, however they go', async () => {
  const folder = newFolder()
  const store = await LocalStore.open({ folder })
  await store.createBucket('b')
  const status = (versioning: 'Enabled' | 'Suspended') => store.updateBucket('b', { versioning })
  await write(store)
  await status('Enabled')
  const id = await write(store)
  // Current again, then an older one again, then gone.
  await store.delete('b', 'k', { versionId: id ?? '' })
  await write(store)
  await store.delete('b', 'k', { versionId: 'null' })
  // Replaced by another, and by a marker; that deleted, and promoted over.
  await status('Suspended')
  await write(store)
  await write(store)
  await store.delete('b', 'k')
  await status('Enabled')
  const newest = await write(store)
  await store.delete('b', 'k', { versionId: newest ?? '' })
  await status('Suspended')
  await write(store)
  await status('Enabled')
  const last = await write(store)
  await store.delete('b', 'k', { versionId: last ?? '' })
  await store.close()
  expect(await nulls(folder)).toEqual({ known: [], there: [] })
  const again = await LocalStore.open({ folder })
  await write(again)
  await again.close()
  const { known, there } = await nulls(folder)
  expect([known.length, known]).toEqual([1, there])
})

test('the files of versions go with the last version that has them', async () => {
  const folder = newFolder()
  const store = await openAt(folder, Date.now)
  const ids: string[] = []
  for (let n = 0; n < 3; n += 1) ids.push((await write(store, bytes(100 * KIB, n))) ?? '')
  const [first = '', second = '', third = ''] = ids
  const { etag } = (await store.head('b', 'k', { versionId: first })) ?? { etag: '' }
  const target = { bucket: 'b', key: 'copy' }
  const copy = { sourceIfMatch: etag, size: 100 * KIB, metadata: {} }
  const copied = await store.copy({ bucket: 'b', key: 'k', versionId: first }, target, copy)
  for (const versionId of [first, second]) await store.delete('b', 'k', { versionId })
  await store.close()
  expect(await audit(folder)).toEqual({ ...CLEAN, files: 2 })
  const again = await LocalStore.open({ folder })
  await again.delete('b', 'copy', { versionId: copied.versionId ?? '' })
  await again.delete('b', 'k', { versionId: third })
  await again.deleteBucket('b')
  await again.close()
  expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
})
