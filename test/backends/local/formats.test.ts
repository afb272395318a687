// Folders that earlier versions wrote.
import { join } from 'node:path'
import { open } from 'lmdb'
import { expect, test } from 'vitest'
import { IndexDb } from '../../../src/backends/local/index-db.ts'
import { LocalStore } from '../../../src/backends/local.ts'
import { Unavailable } from '../../../src/errors.ts'
import { bodyOf, collect, putOptions } from '../../contract/object-store/bench.ts'
import { audit, CLEAN, newFolder } from './folder.ts'

/** What format 1 wrote: a bucket `old` with the objects `empty`, `full` and `plain`, and an upload. */
const FORMAT_1 = [
  ['buckets', '6f6c64', '018bcfe56800'],
  [
    'objects',
    '6f6c6400656d707479',
    '00000000000000000000000000000000000000018bcfe5680005050505050505050505050505050505ffff',
  ],
  [
    'objects',
    '6f6c640066756c6c',
    '01020202020202020200000001000000000006018bcfe5680004040404040404040404040404040404000566616374737b2273672d65223a22c3a9222c2262223a2232227d',
  ],
  [
    'objects',
    '6f6c6400706c61696e',
    '01020202020202020200000000000000000005018bcfe5680003030303030303030303030303030303ffff',
  ],
  ['inline', '020202020202020200000000', '000000016669727374'],
  ['inline', '020202020202020200000001', '000000017365636f6e64'],
  ['uploads', '06060606060606060606060606060606', '018bcfe56800000300066f6c6475706c6f61647b226d223a2231227d'],
  ['uploadOrder', '6f6c640076716d706265004278bcfe5680000006060606060606060606060606060606', ''],
] as const
const UPLOAD_ID = '06'.repeat(16)

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const

async function setFormat(folder: string, format: string): Promise<void> {
  const root = open<Buffer, Buffer>({ path: join(folder, 'index'), ...BINARY, maxDbs: 24, noSubdir: false })
  await root.openDB<Buffer, Buffer>('format', BINARY).put(Buffer.from('format'), Buffer.from(format))
  await root.close()
}

async function formatOf(folder: string): Promise<string | undefined> {
  const root = open<Buffer, Buffer>({ path: join(folder, 'index'), ...BINARY, maxDbs: 24, noSubdir: false })
  const format = root.openDB<Buffer, Buffer>('format', BINARY).get(Buffer.from('format'))?.toString()
  await root.close()
  return format
}

async function folderOfFormat1(): Promise<string> {
  const folder = newFolder()
  const index = await IndexDb.open(folder)
  await index.write(() => {
    for (const [table, key, value] of FORMAT_1)
      index.tables[table].putSync(Buffer.from(key, 'hex'), Buffer.from(value, 'hex'))
  })
  await index.close()
  await setFormat(folder, '1')
  return folder
}

test('a folder of format 1 opens, reads, and is of format 2 from then on', async () => {
  const folder = await folderOfFormat1()
  const store = await LocalStore.open({ folder })
  expect(await store.headBucket('old')).toEqual({ name: 'old', created: new Date(1_700_000_000_000) })
  const { info, body } = await store.get('old', 'full')
  expect(info).toEqual({
    etag: '04'.repeat(16),
    size: 6,
    lastModified: new Date(1_700_000_000_000),
    metadata: { 'sg-e': 'é', b: '2' },
    facts: Buffer.from('facts'),
  })
  expect((await collect(body)).toString()).toBe('second')
  const { objects } = await store.list('old', { prefix: '', limit: 10 })
  expect(objects.map(({ key, size }) => [key, size])).toEqual([
    ['empty', 0],
    ['full', 6],
    ['plain', 5],
  ])
  const upload = { bucket: 'old', key: 'upload', uploadId: UPLOAD_ID }
  const { etag } = await store.putPart(upload, 1, bodyOf('part'), {})
  await store.completeUpload(upload, { parts: [{ partNumber: 1, etag }] })
  expect((await store.head('old', 'upload'))?.metadata).toEqual({ m: '1' })
  await store.close()
  expect(await formatOf(folder)).toBe('2')
  expect(await audit(folder)).toMatchObject(CLEAN)
})

test('objects of format 1 are the null versions once versions are switched on', async () => {
  const folder = await folderOfFormat1()
  const store = await LocalStore.open({ folder })
  await store.updateBucket('old', { versioning: 'Enabled' })
  const { versionId } = await store.put('old', 'plain', bodyOf('newer'), putOptions())
  expect(versionId).toMatch(/^[0-9a-f]{32}$/)
  const read = async (id?: string) =>
    (await collect((await store.get('old', 'plain', id === undefined ? {} : { versionId: id })).body)).toString()
  expect([await read(), await read('null'), await read(versionId)]).toEqual(['newer', 'first', 'newer'])
  await store.close()
})

test('a folder of format 1 that a process still uses is not taken from under it', async () => {
  const folder = await folderOfFormat1()
  const other = await LocalStore.open({ folder })
  await setFormat(folder, '1')
  const opening = LocalStore.open({ folder })
  await expect(opening).rejects.toThrow(Unavailable)
  await expect(opening).rejects.toThrow(/earlier version/)
  await other.close()
  await (await LocalStore.open({ folder })).close()
  expect(await formatOf(folder)).toBe('2')
})
