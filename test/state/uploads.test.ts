import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { Uploads } from '../../src/state/uploads.ts'
import { takeSecret } from '../../src/secret-bytes.ts'

const HOUR = 3_600_000
const ref = (uploadId: string) => ({ bucket: 'b', key: 'k', uploadId })
const DONE = { requestHash: 'hash', answer: { etag: 'etag-1', versionId: undefined, checksum: undefined, parts: 1 } }

async function uploadsAt(clock: () => number) {
  const state = new StateStore(new MemoryStore({ now: () => new Date(clock()) }), 'state')
  await state.ensureBucket()
  const random = (bytes: number): Buffer => randomBytes(bytes)
  const keys = createBucketKeys({
    managers: new Map([['m', new MemoryKeyManager({ alias: 'm', random })]]),
    activeAlias: 'm',
    keyring: new StateKeyring(state),
    clock,
  })
  return { state, uploads: new Uploads({ state, keys, clock, random }) }
}

test('answers of completed uploads are forgotten after a day, and nothing else is', async () => {
  let now = Date.UTC(2026, 0, 1)
  const { state, uploads } = await uploadsAt(() => now)
  await uploads.finish(ref('old'), 'b', DONE)
  await uploads.create('b', {
    ...ref('open'),
    objectKey: takeSecret(randomBytes(32)),
    envelope: randomBytes(40),
    area: undefined,
    checksum: undefined,
    initiated: now,
  })
  now += 23 * HOUR
  await uploads.finish(ref('young'), 'b', DONE)
  await uploads.expireDone(new AbortController().signal)
  expect(await uploads.done(ref('old'), 'b')).toEqual(DONE)
  now += 2 * HOUR
  await uploads.expireDone(new AbortController().signal)
  expect(await uploads.done(ref('old'), 'b')).toBeUndefined()
  expect(await uploads.done(ref('young'), 'b')).toEqual(DONE)
  expect(await uploads.find(ref('open'), 'b')).toBeDefined()
  expect((await state.list('uploads/')).records).toHaveLength(2)
})

test('a record moved to the path of another upload does not open there', async () => {
  const { state, uploads } = await uploadsAt(() => Date.UTC(2026, 0, 1))
  await uploads.finish(ref('one'), 'b', DONE)
  await uploads.finish(ref('two'), 'b', { ...DONE, requestHash: 'other' })
  const [a, b] = (await state.list('uploads/')).records
  const stolen = await state.get(a!.path)
  await state.put(b!.path, stolen!.bytes)
  const reads = await Promise.allSettled([uploads.done(ref('one'), 'b'), uploads.done(ref('two'), 'b')])
  expect(reads.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect(reads.find((read) => read.status === 'rejected')).toMatchObject({ reason: { name: 'Integrity' } })
})

test('every attempt of every part comes back from the journal, over more than one page', async () => {
  const { uploads } = await uploadsAt(() => Date.UTC(2026, 0, 1))
  const objectKey = randomBytes(32)
  const content = (bytes: number) => ({
    bytes,
    segmentSalt: randomBytes(24),
    md5: randomBytes(16),
    heldBack: false,
    clientEtag: 'c',
    backendEtag: `b${bytes}`,
  })
  for (let n = 1; n <= 1_100; n += 1) await uploads.journal(ref('many'), objectKey, n, uploads.newAttempt(), content(n))
  await uploads.journal(ref('many'), objectKey, 7, uploads.newAttempt(), content(70))
  const entries = await uploads.attempts(ref('many'), objectKey)
  expect(entries).toHaveLength(1_101)
  expect(
    entries
      .filter((one) => one.partNumber === 7)
      .map((one) => one.bytes)
      .toSorted((a, b) => a - b),
  ).toEqual([7, 70])
  await expect(uploads.attempts(ref('many'), randomBytes(32))).rejects.toMatchObject({ name: 'Integrity' })
})
