import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DISK, type Files } from '../../../src/backends/local/files.ts'
import { IndexDb } from '../../../src/backends/local/index-db.ts'
import { LocalStore } from '../../../src/backends/local.ts'
import type { Body } from '../../../src/backends/body.ts'
import type { UploadRef } from '../../../src/backends/object-store.ts'
import { Unavailable } from '../../../src/errors.ts'
import { bodyOf, bytes, collect, KIB, putOptions } from '../../contract/object-store/bench.ts'
import { audit, CLEAN, eventually, filesIn, newFolder } from './folder.ts'

const BIG = bytes(200 * KIB)

async function openIn(folder: string, options = {}) {
  const store = await LocalStore.open({ folder, ...options })
  if ((await store.headBucket('b')) === undefined) await store.createBucket('b')
  return store
}

const bodies = (folder: string) => filesIn(join(folder, 'bodies'))

/** Without syncs: for tests with thousands of files. */
const HASTY: Files = {
  ...DISK,
  open: async (path, flags) => {
    const file = await DISK.open(path, flags)
    return {
      writev: (buffers) => file.writev(buffers),
      read: (target, offset, length, position) => file.read(target, offset, length, position),
      datasync: () => Promise.resolve(),
      sync: () => Promise.resolve(),
      close: () => file.close(),
    }
  },
}

async function putParts(store: LocalStore, key: string, count: number, size: number) {
  const upload: UploadRef = { bucket: 'b', key, uploadId: await store.createUpload('b', key, { metadata: {} }) }
  const parts: { partNumber: number; etag: string }[] = []
  for (let at = 1; at <= count; at += 64) {
    const numbers = Array.from({ length: Math.min(64, count + 1 - at) }, (_, i) => at + i)
    const sent = await Promise.all(numbers.map((n) => store.putPart(upload, n, bodyOf(bytes(size, n)), {})))
    parts.push(...sent.map(({ etag }, i) => ({ partNumber: at + i, etag })))
  }
  return { upload, parts, whole: Buffer.concat(parts.map(({ partNumber }) => bytes(size, partNumber))) }
}

describe('the files of a local store', () => {
  test('small bodies take no file, large ones take one with a name that says nothing', async () => {
    const folder = newFolder()
    const store = await openIn(folder, { inlineBytes: 1000 })
    await store.put('b', 'secret-name', bodyOf(bytes(1000)), putOptions())
    expect(bodies(folder)).toEqual([])
    for (const key of ['secret-name', '../../escape', '/etc/passwd', '..'])
      await store.put('b', key, bodyOf(bytes(1001)), putOptions())
    expect(bodies(folder)).toHaveLength(4)
    for (const name of bodies(folder)) expect(name).toMatch(/^[0-9a-f]{2}\/[0-9a-f]{14}\/\d+$/)
    await store.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 4 })
  })

  test('files are for their owner alone', async () => {
    const folder = join(newFolder(), 'new')
    const store = await openIn(folder)
    await store.put('b', 'k', bodyOf(BIG), putOptions())
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const stat = statSync(join(folder, name))
      expect([name, stat.mode & 0o777]).toEqual([name, stat.isDirectory() ? 0o700 : 0o600])
    }
    await store.close()
  })

  test('a file goes when the last object that has its bytes is gone', async () => {
    const folder = newFolder()
    const store = await openIn(folder)
    const { etag } = await store.put('b', 'a', bodyOf(BIG), putOptions())
    await store.copy(
      { bucket: 'b', key: 'a' },
      { bucket: 'b', key: 'c' },
      { sourceIfMatch: etag, size: 1, metadata: {} },
    )
    await store.put('b', 'a', bodyOf(BIG), putOptions())
    expect(bodies(folder)).toHaveLength(2)
    await store.delete('b', 'c')
    await eventually(() => bodies(folder).length === 1)
    await store.put('b', 'a', bodyOf('x'), putOptions())
    await eventually(() => bodies(folder).length === 0)
    await store.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
  })

  test('parts that are replaced, left out, aborted or lost with their bucket leave no file', async () => {
    const folder = newFolder()
    const store = await openIn(folder)
    const one = await putParts(store, 'one', 3, 1000)
    await store.putPart(one.upload, 2, bodyOf('again'), {})
    await eventually(() => bodies(folder).length === 3)
    await store.completeUpload(one.upload, { parts: [one.parts[0]!, one.parts[2]!] })
    await eventually(() => bodies(folder).length === 2)
    const two = await putParts(store, 'two', 3, 1000)
    await store.abortUpload(two.upload)
    await store.delete('b', 'one')
    await putParts(store, 'three', 3, 1000)
    await eventually(() => bodies(folder).length === 3)
    await store.deleteBucket('b')
    await store.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
  })

  test('writes that fail leave no file', async () => {
    const folder = newFolder()
    const store = await openIn(folder)
    const broken = async function* (): Body {
      yield [BIG]
      throw new Error('gone')
    }
    await expect(store.put('b', 'k', broken(), putOptions())).rejects.toThrow('gone')
    await expect(store.put('b', 'k', bodyOf(BIG), putOptions({ length: BIG.length + 1 }))).rejects.toThrow()
    await expect(
      store.put('b', 'k', bodyOf(BIG), putOptions({ commit: () => Promise.reject(new Error('no')) })),
    ).rejects.toThrow('no')
    expect(bodies(folder)).toEqual([])
    await store.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
  })

  test('an object of 10,001 parts is read whole and in ranges, and leaves nothing when deleted', async () => {
    const folder = newFolder()
    const store = await openIn(folder, { files: HASTY })
    const { upload, parts, whole } = await putParts(store, 'k', 10_001, 40)
    await store.completeUpload(upload, { parts })
    expect((await collect((await store.get('b', 'k')).body)).equals(whole)).toBe(true)
    const range = { first: 399_990, last: 400_010 }
    expect((await collect((await store.get('b', 'k', { range })).body)).equals(whole.subarray(399_990, 400_011))).toBe(
      true,
    )
    await store.delete('b', 'k')
    await store.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
  }, 60_000)

  test('no file stays open after a body was read, left, aborted, or failed', async () => {
    const open = () => readdirSync('/proc/self/fd').length
    if (process.platform !== 'linux') return
    const folder = newFolder()
    const store = await openIn(folder)
    await store.put('b', 'k', bodyOf(bytes(3000 * KIB)), putOptions())
    const { upload, parts } = await putParts(store, 'many', 9, 1000)
    await store.completeUpload(upload, { parts })
    const before = open()
    for (const key of ['k', 'many']) {
      await collect((await store.get('b', key)).body)
      for await (const _ of (await store.get('b', key)).body) break
      const controller = new AbortController()
      await store.get('b', key, { signal: controller.signal })
      const { body } = await store.get('b', key, { signal: controller.signal })
      controller.abort(new Error('client gone'))
      await expect(collect(body)).rejects.toThrow('client gone')
      await expect(store.get('b', key, { signal: controller.signal })).rejects.toThrow('client gone')
    }
    await store.get('b', 'k', { range: { first: 5, last: 1000 } })
    await eventually(() => open() === before && filesIn(join(folder, 'pins')).length === 0)
    await store.close()
  })
})

describe('two openings of one folder', () => {
  test('what one has written the other sees at once', async () => {
    const folder = newFolder()
    const [one, two] = [await openIn(folder), await openIn(folder)]
    for (let i = 0; i < 50; i++) {
      const { etag } = await one.put('b', 'k', bodyOf(String(i)), putOptions())
      expect((await two.head('b', 'k'))?.etag).toBe(etag)
      const second = await two.put('b', 'k', bodyOf(String(i)), putOptions({ condition: { ifMatch: etag } }))
      expect((await one.get('b', 'k')).info.etag).toBe(second.etag)
    }
    await one.close()
    await two.put('b', 'k', bodyOf(BIG), putOptions())
    await two.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 1 })
  })

  test('a body of many pieces is read to its end though the other opening deletes it', async () => {
    const folder = newFolder()
    const [one, two] = [await openIn(folder), await openIn(folder)]
    const { upload, parts, whole } = await putParts(one, 'k', 40, 30_000)
    await one.completeUpload(upload, { parts })
    const { body } = await one.get('b', 'k')
    const { body: left } = await one.get('b', 'k')
    const reader = body[Symbol.asyncIterator]()
    const pieces: Buffer[] = []
    for (let i = 0; i < 3; i++) pieces.push(...((await reader.next()).value ?? []))
    await two.delete('b', 'k')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(bodies(folder)).toHaveLength(40)
    pieces.push(await collect({ [Symbol.asyncIterator]: () => reader }))
    expect(Buffer.concat(pieces).equals(whole)).toBe(true)
    for await (const _ of left) break
    await eventually(() => bodies(folder).length === 0)
    await two.close()
    await one.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
  })

  test('opening never touches what another one is just writing', async () => {
    const folder = newFolder()
    const one = await openIn(folder)
    const slow = async function* (): Body {
      yield [BIG]
      await (await LocalStore.open({ folder })).close()
      yield [BIG]
    }
    await one.put('b', 'k', slow(), putOptions())
    expect(await collect((await one.get('b', 'k')).body)).toHaveLength(2 * BIG.length)
    await one.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 1 })
  })

  test('a process that was taken for dead cannot finish its writes', async () => {
    const folder = newFolder()
    const one = await openIn(folder)
    const index = await IndexDb.open(folder)
    const bury = async function* (): Body {
      yield [BIG]
      await index.write(() => {
        const tokens = [...index.tables.processes.getKeys({})]
        for (const token of tokens) index.tables.processes.removeSync(token)
      })
    }
    await expect(one.put('b', 'k', bury(), putOptions())).rejects.toThrow(Unavailable)
    await expect(one.put('b', 'k', bodyOf(BIG), putOptions())).rejects.toThrow(/taken for dead/)
    await index.close()
    await one.close()
    await (await openIn(folder)).close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
  })

  test.each([
    ['another boot', { boot: 'other' }, 0],
    ['a number that is free', { pid: 4_194_303 }, 0],
    ['an earlier process of the same number', { started: '1' }, 0],
    ['another container, silent for long', { namespace: 'pid:[1]' }, 0],
    ['this very process', {}, 1],
  ])('a process with %s is judged right', async (_what, change, alive) => {
    const folder = newFolder()
    const store = await openIn(folder)
    const index = await IndexDb.open(folder)
    const { processes } = index.tables
    const [own] = [...processes.getRange({})]
    const identity: unknown = JSON.parse(own?.value.toString() ?? '')
    await index.write(() =>
      processes.putSync(Buffer.alloc(16, 7), Buffer.from(JSON.stringify({ ...(identity as object), ...change }))),
    )
    await (await LocalStore.open({ folder })).close()
    expect(index.read(() => processes.get(Buffer.alloc(16, 7)) !== undefined)).toBe(alive === 1)
    await index.close()
    await store.close()
  })
})
