/** What a crash left of a completed upload goes with its answer. */
import { randomBytes } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { Uploads } from '../../src/state/uploads.ts'
import { takeSecret } from '../../src/secret-bytes.ts'

const DAY = 24 * 3_600_000
const random = (bytes: number): Buffer => randomBytes(bytes)

test('a completed upload whose state was never deleted, or got a late part, is forgotten with it', async () => {
  let now = Date.UTC(2026, 0, 1)
  const state = new StateStore(new MemoryStore({ now: () => new Date(now) }), 'state')
  await state.ensureBucket()
  const keys = createBucketKeys({
    managers: new Map([['m', new MemoryKeyManager({ alias: 'm', random })]]),
    activeAlias: 'm',
    keyring: new StateKeyring(state),
    clock: () => now,
  })
  const uploads = new Uploads({ state, keys, clock: () => now, random })
  const objectKey = takeSecret(randomBytes(32))
  for (const uploadId of ['crashed', 'late', 'open']) {
    const ref = { bucket: 'b', key: 'k', uploadId }
    const rest = { objectKey, envelope: randomBytes(40), area: undefined, checksum: undefined, initiated: now }
    if (uploadId !== 'late') await uploads.create('b', { ...ref, ...rest })
    await uploads.journal(ref, objectKey, 1, uploads.newAttempt(), {
      bytes: 1,
      segmentSalt: randomBytes(24),
      md5: randomBytes(16),
      heldBack: true,
      clientEtag: 'etag',
      backendEtag: '',
    })
    const answer = { etag: 'etag-1', versionId: undefined, checksum: undefined, parts: 1 }
    if (uploadId !== 'open') await uploads.finish(ref, 'b', { requestHash: 'hash', answer })
  }
  now += DAY + 1
  await uploads.expireDone(new AbortController().signal)
  const { records } = await state.list('uploads/')
  expect(records).toHaveLength(2)
  expect(await uploads.find({ bucket: 'b', key: 'k', uploadId: 'open' }, 'b')).toBeDefined()
  expect(await uploads.attempts({ bucket: 'b', key: 'k', uploadId: 'open' }, objectKey)).toHaveLength(1)
})

test('a thousand in one run, without a listing for each, and no more once it is to stop', async () => {
  let now = Date.UTC(2026, 0, 1)
  const store = new MemoryStore({ now: () => new Date(now) })
  const state = new StateStore(store, 'state')
  await state.ensureBucket()
  const keys = createBucketKeys({
    managers: new Map([['m', new MemoryKeyManager({ alias: 'm', random })]]),
    activeAlias: 'm',
    keyring: new StateKeyring(state),
    clock: () => now,
  })
  const uploads = new Uploads({ state, keys, clock: () => now, random })
  const left = async (): Promise<number> => {
    let count = 0
    for (let after: string | undefined; ; ) {
      const page = await state.list('uploads/', after === undefined ? {} : { after })
      count += page.records.length
      after = page.records.at(-1)?.path
      if (!page.truncated) return count
    }
  }
  const done = (name: string) => state.put(`uploads/${name.padStart(32, '0')}/done`, Buffer.from('x'))
  for (let at = 0; at < 1_100; at += 1) await done(at.toString(16))
  now += DAY + 1
  for (let at = 0; at < 50; at += 1) await done(`ffff${at.toString(16)}`)
  const stopped = new AbortController()
  stopped.abort(new Error('stop'))
  await expect(uploads.expireDone(stopped.signal)).rejects.toThrow('stop')
  expect(await left()).toBe(1_150)
  await uploads.expireDone(new AbortController().signal)
  expect(await left()).toBe(150)
  const list = vi.spyOn(store, 'list')
  await uploads.expireDone(new AbortController().signal)
  // One page, and one for each upload that goes.
  expect([await left(), list.mock.calls.length]).toEqual([50, 1 + 100 + 1])
  list.mockClear()
  await uploads.expireDone(new AbortController().signal)
  expect([await left(), list.mock.calls.length]).toEqual([50, 1 + 1])
})
