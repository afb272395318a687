import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { describe, expect, test } from 'vitest'
import { DISK } from '../../../src/backends/local/files.ts'
import { LocalStore } from '../../../src/backends/local.ts'
import { Invalid, Unavailable } from '../../../src/errors.ts'
import { bodyOf, bytes, collect, KIB, putOptions } from '../../contract/object-store/bench.ts'
import { audit, CLEAN, eventually, type Fault, faultyFiles, filesIn, newFolder, systemError } from './folder.ts'

const BIG = bytes(2500 * KIB)

/** A store whose file system fails as `fault` says from when it is set. */
async function openFaulty(folder = newFolder()) {
  let fault: Fault = () => undefined
  const files = faultyFiles((operation, path) => fault(operation, path))
  const store = await LocalStore.open({ folder, files })
  await store.createBucket('b')
  return {
    folder,
    store,
    set: (next: Fault) => {
      fault = next
    },
  }
}

describe('a local store whose disk fails', () => {
  test.each([
    ['writev', 'ENOSPC', /no room left/],
    ['writev', 'EDQUOT', /no room left/],
    ['writev', 'EIO', /system log/],
    ['datasync', 'EIO', /system log/],
    ['sync', 'EIO', /system log/],
    ['open', 'EMFILE', /ulimit -n/],
    ['open', 'EACCES', /owner, mode/],
    ['mkdir', 'EROFS', /mount options/],
  ] as const)(
    '%s with %s fails the write with path and remedy, and leaves nothing',
    async (operation, code, remedy) => {
      const { folder, store, set } = await openFaulty()
      set((what, path) => (what === operation && path.includes('bodies') ? systemError(code) : undefined))
      const failed = store.put('b', 'k', bodyOf(BIG), putOptions())
      await expect(failed).rejects.toThrow(Unavailable)
      await expect(failed).rejects.toThrow(remedy)
      await expect(failed).rejects.toThrow(folder)
      expect(await store.head('b', 'k')).toBeUndefined()
      set(() => undefined)
      await store.put('b', 'k', bodyOf(BIG), putOptions())
      expect((await collect((await store.get('b', 'k')).body)).equals(BIG)).toBe(true)
      await store.close()
      expect(await audit(folder)).toEqual({ ...CLEAN, files: 1 })
    },
  )

  test('the object that was there before stays when its replacement fails', async () => {
    const { store, set } = await openFaulty()
    await store.put('b', 'k', bodyOf('before'), putOptions())
    set((what) => (what === 'writev' ? systemError('ENOSPC') : undefined))
    await expect(store.put('b', 'k', bodyOf(BIG), putOptions())).rejects.toThrow(Unavailable)
    expect((await collect((await store.get('b', 'k')).body)).toString()).toBe('before')
    await store.close()
  })

  test('writes that are cut short by the system are continued', async () => {
    const folder = newFolder()
    const short = {
      ...DISK,
      open: async (path: string, flags: 'r' | 'wx') => {
        const file = await DISK.open(path, flags)
        return {
          writev: (buffers: readonly Buffer[]) => {
            const [first = Buffer.alloc(0)] = buffers
            return file.writev(first.length < 2 ? [first] : [first.subarray(0, first.length >> 1)])
          },
          read: (target: Buffer, offset: number, length: number, position: number) =>
            file.read(target, offset, Math.max(1, length >> 1), position),
          datasync: () => file.datasync(),
          sync: () => file.sync(),
          close: () => file.close(),
        }
      },
    }
    const store = await LocalStore.open({ folder, files: short, inlineBytes: 0 })
    await store.createBucket('b')
    const content = bytes(20_000)
    await store.put('b', 'k', bodyOf(content, 3000), putOptions())
    expect((await collect((await store.get('b', 'k')).body)).equals(content)).toBe(true)
    await store.close()
  })

  test('a file that cannot be removed is removed by the next start', async () => {
    const { folder, store, set } = await openFaulty()
    await store.put('b', 'replaced', bodyOf(BIG), putOptions())
    set((what) => (what === 'unlink' ? systemError('EIO') : undefined))
    await store.put('b', 'replaced', bodyOf('small'), putOptions())
    const failing = store.put(
      'b',
      'k',
      bodyOf(BIG),
      putOptions({ commit: () => Promise.reject(new Error('no commit')) }),
    )
    await expect(failing).rejects.toThrow('no commit')
    set((what, path) => (what === 'unlink' && path.includes('bodies') ? systemError('EIO') : undefined))
    await store.close()
    expect(await audit(folder)).toMatchObject({ files: 2, garbage: 1 })
    const next = await LocalStore.open({ folder })
    await next.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 0 })
  })

  test('a read that fails says so, and closes its file', async () => {
    const { store, set } = await openFaulty()
    await store.put('b', 'k', bodyOf(BIG), putOptions())
    let reads = 0
    set((what) => (what === 'read' && ++reads > 2 ? systemError('EIO') : undefined))
    await expect(collect((await store.get('b', 'k')).body)).rejects.toThrow(Unavailable)
    set(() => undefined)
    expect(await collect((await store.get('b', 'k')).body)).toHaveLength(BIG.length)
    await store.close()
  })

  test('a body file that is missing or too short is an integrity failure, not an endless search', async () => {
    const { folder, store } = await openFaulty()
    await store.put('b', 'k', bodyOf(BIG), putOptions())
    const [name = ''] = filesIn(join(folder, 'bodies'))
    writeFileSync(join(folder, 'bodies', name), BIG.subarray(0, 1_000_000))
    await expect(collect((await store.get('b', 'k')).body)).rejects.toMatchObject({ name: 'Integrity' })
    await DISK.unlink(join(folder, 'bodies', name))
    await expect(store.get('b', 'k')).rejects.toMatchObject({ name: 'Integrity' })
    await store.close()
  })

  test('health tells of a disk that is full or read-only', async () => {
    const { store, set } = await openFaulty()
    await store.health()
    set((what) => (what === 'touch' ? systemError('EROFS') : undefined))
    await expect(store.health()).rejects.toThrow(Unavailable)
    set(() => undefined)
    await store.health()
    await store.close()
    await expect(store.health()).rejects.toThrow(Unavailable)
    await expect(store.head('b', 'k')).rejects.toThrow(/closed/)
  })
})

describe('a folder that cannot be opened', () => {
  test('one that may not be written is invalid settings, with path and remedy', async () => {
    const folder = newFolder()
    const opening = LocalStore.open({
      folder,
      files: faultyFiles((what) => (what === 'mkdir' ? systemError('EACCES') : undefined)),
    })
    await expect(opening).rejects.toThrow(Invalid)
    await expect(opening).rejects.toThrow(folder)
    await expect(opening).rejects.toThrow(/owner, mode/)
  })

  test('a path through a file is invalid settings', async () => {
    const file = join(newFolder(), 'file')
    writeFileSync(file, '')
    await expect(LocalStore.open({ folder: file })).rejects.toThrow(Invalid)
    await expect(LocalStore.open({ folder: join(file, 'below') })).rejects.toThrow(Invalid)
  })

  test('a full disk is not the fault of the settings', async () => {
    const folder = newFolder()
    const files = faultyFiles((what, path) =>
      what === 'open' && path.includes('processes') ? systemError('ENOSPC') : undefined,
    )
    await expect(LocalStore.open({ folder, files })).rejects.toThrow(Unavailable)
    const store = await LocalStore.open({ folder })
    await store.close()
  })

  test('a store of another format is left alone', async () => {
    const folder = newFolder()
    const store = await LocalStore.open({ folder })
    await store.createBucket('b')
    await store.close()
    const binary = { encoding: 'binary', keyEncoding: 'binary' } as const
    const root = open<Buffer, Buffer>({ path: join(folder, 'index'), ...binary, overlappingSync: false })
    await root.openDB<Buffer, Buffer>('format', binary).put(Buffer.from('format'), Buffer.from('99'))
    await root.close()
    const opening = LocalStore.open({ folder })
    await expect(opening).rejects.toThrow(Invalid)
    await expect(opening).rejects.toThrow(/format 99.*format 2/)
  })

  test('an index that is no index is invalid, and stays', async () => {
    const folder = newFolder()
    await DISK.mkdir(join(folder, 'index'))
    writeFileSync(join(folder, 'index', 'data.mdb'), bytes(20_000))
    await expect(LocalStore.open({ folder })).rejects.toThrow(Invalid)
    expect(existsSync(join(folder, 'index', 'data.mdb'))).toBe(true)
  })

  test('bodies without their index are not taken for an empty store', async () => {
    const folder = newFolder()
    const store = await LocalStore.open({ folder })
    await store.createBucket('b')
    await store.put('b', 'k', bodyOf(BIG), putOptions())
    await store.close()
    const { rmSync } = await import('node:fs')
    rmSync(join(folder, 'index'), { recursive: true })
    await expect(LocalStore.open({ folder })).rejects.toThrow(/bodies without.*index/)
    await eventually(() => filesIn(join(folder, 'bodies')).length === 1)
  })
})
