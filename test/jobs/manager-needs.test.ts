/** Who still needs a key manager: what `keys retire` refuses by. */
import { CreateBucketCommand, CreateMultipartUploadCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { needsOf, scanObjects } from '../../src/jobs/manager-needs.ts'
import { AbandonedUploads } from '../../src/state/abandoned-uploads.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

let running: TestGateway
let s3: S3Client
let state: StateStore
let parts: { keyring: StateKeyring; abandonedUploads: AbandonedUploads }
beforeEach(async () => {
  running = await startGateway({ managers: ['main', 'spare'] })
  s3 = running.client()
  state = new StateStore(running.state, 'sealgate-state')
  const keyring = new StateKeyring(state)
  const abandonedUploads = new AbandonedUploads({ state, keys: running.gateway.keys, keyring })
  parts = { keyring, abandonedUploads }
  await s3.send(new CreateBucketCommand({ Bucket: 'one' }))
  await s3.send(new PutObjectCommand({ Bucket: 'one', Key: 'sealed', Body: 'x' }))
  await s3.send(new CreateMultipartUploadCommand({ Bucket: 'one', Key: 'upload' }))
})
afterEach(() => running.close())

const scan = () => scanObjects({ store: running.store, keyring: parts.keyring }, 'main')
/** The only bucket key, taken out of the keyring. */
async function forgetKey(): Promise<void> {
  const { records } = await state.list('keyring/k/')
  expect(records).toHaveLength(1)
  for (const { path } of records) await state.delete(path)
}

test('records of the keyring, uploads in progress and keys in use are counted', async () => {
  expect(await needsOf(parts, 'main')).toEqual({ keys: 1, uploads: 1, slots: 1 })
  expect(await needsOf(parts, 'spare')).toEqual({ keys: 0, uploads: 0, slots: 0 })
})

test('what the keyring has by another manager is not needed of the first', async () => {
  for await (const entries of parts.keyring.entries()) {
    for (const { record, etag } of entries) await parts.keyring.replace({ ...record!, alias: 'spare' }, etag)
  }
  expect(await needsOf(parts, 'main')).toEqual({ keys: 0, uploads: 0, slots: 0 })
  expect(await needsOf(parts, 'spare')).toMatchObject({ keys: 1 })
})

test('without a record of the keyring uploads and slots need the manager that they name', async () => {
  await forgetKey()
  expect(await needsOf(parts, 'main')).toEqual({ keys: 0, uploads: 1, slots: 1 })
})

test('a scan finds objects whose key is not in the keyring, and passes by those of customers and those in plaintext', async () => {
  expect(await scan()).toEqual({ examined: 1, unrecorded: 0, needing: 0, examples: [], unreadable: 0 })
  await forgetKey()
  await running.store.put('one', 'plain', (await running.store.get('one', 'sealed')).body, {
    metadata: {},
    commit: async () => ({}),
  })
  await running.store.put('one', 'torn', (await running.store.get('one', 'sealed')).body, {
    metadata: { 'sg-e': '!', 'sg-m': '!' },
    commit: async () => ({}),
  })
  expect(await scan()).toEqual({
    examined: 3,
    unrecorded: 1,
    needing: 1,
    examples: ['one/sealed'],
    unreadable: 1,
  })
  expect(await scanObjects({ store: running.store, keyring: parts.keyring }, 'spare')).toMatchObject({
    unrecorded: 1,
    needing: 0,
    examples: [],
  })
})
