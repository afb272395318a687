/** Re-encryption of single objects: another key and other bytes in the store, and nothing else that a client could see; over each kind of store. */
import { CopyObjectCommand, GetObjectAttributesCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Capabilities } from '../../src/backends/capabilities.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { reencryptObject } from '../../src/gateway/steps/re-encrypt-object.ts'
import { headStored } from '../../src/gateway/sealed-object.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { replacing } from '../helpers/replacing.ts'
import { Bucket, MIB, read, run, StepWorld, told, writeShapes } from '../helpers/step-world.ts'
import { flip, readStored, writeStored } from '../helpers/tamper.ts'
import { STORES } from '../helpers/worlds.ts'

const NEWER = { outcome: 'unchanged', why: 'its key is newer' }

/** R. */
async function objectKeyOf(gateway: Gateway, key: string): Promise<Buffer> {
  const opened = await headStored(gateway, { bucket: Bucket, key })
  if (opened.kind !== 'sealed') throw new Error(`${key} is plaintext`)
  return opened.objectKey
}

const limited = (store: ObjectStore, limits: Partial<Capabilities>): ObjectStore =>
  replacing(store, { capabilities: { ...store.capabilities, ...limits } })

describe.each(Object.entries(STORES))('%s', (_name, open) => {
  let world: StepWorld
  let running: TestGateway
  let bodies: ReadonlyMap<string, Buffer>
  const etag = () => world.store.capabilities.facts

  beforeAll(async () => {
    world = new StepWorld(await open())
    running = await world.start([world.old])
    bodies = await writeShapes(running.client())
  }, 60_000)
  afterAll(() => world.close())

  const attributes = async (Key: string) => {
    const ObjectAttributes = ['ObjectParts' as const, 'Checksum' as const, 'ObjectSize' as const]
    const asked = { Bucket, Key, ObjectAttributes }
    const { ObjectParts, Checksum, ObjectSize } = await running.client().send(new GetObjectAttributesCommand(asked))
    return { ObjectParts, Checksum, ObjectSize }
  }

  const checkAll = async (gateway: Gateway) => {
    const s3 = running.client()
    for (const [key, body] of bodies) {
      const [was, parts] = [await told(s3, key, { etag: etag() }), await attributes(key)]
      const [objectKey, stored] = [await objectKeyOf(running.gateway, key), await world.stored(key)]
      expect(await run(reencryptObject(gateway), key), key).toEqual({ outcome: 'done', bytes: body.length })
      expect((await objectKeyOf(running.gateway, key)).equals(objectKey), key).toBe(false)
      const now = await world.stored(key)
      expect([now.length, now.equals(stored)], key).toEqual([stored.length, false])
      expect((await read(s3, key)).equals(body), key).toBe(true)
      expect(await told(s3, key, { etag: etag() }), key).toEqual(was)
      expect(await attributes(key), key).toEqual(parts)
      const Range = 'bytes=69999-70009'
      if (body.length > 70_010) {
        expect((await read(s3, key, { Range })).equals(body.subarray(69_999, 70_010)), key).toBe(true)
      }
    }
  }

  test('objects of every shape get another key and other bytes, and clients see no difference', async () => {
    await checkAll(running.gateway)
  })

  test('so do those that are beyond one request to the store', async () => {
    const store = limited(world.store, { requestLimit: 5 * MIB + 4_096 })
    await checkAll((await world.start([world.old], { store })).gateway)
  })

  test('metadata that fills the headers and the tail stays where there is room', async () => {
    const s3 = running.client()
    const Metadata = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`name-${i}`, 'x'.repeat(130)]))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'described', Body: Buffer.alloc(5 * MIB, 'd'), Metadata }))
    const store = limited(world.store, { metadataLimit: 2_048 })
    const narrow = await world.start([world.old], { store })
    for (let round = 1; round <= 2; round += 1) {
      expect(await run(reencryptObject(narrow.gateway), 'described')).toMatchObject({ outcome: 'done' })
      expect((await world.envelope('described')).flags.areaUsed).toBe(true)
      expect(await told(s3, 'described', { etag: etag() })).toMatchObject({ Metadata })
      expect((await read(s3, 'described')).equals(Buffer.alloc(5 * MIB, 'd'))).toBe(true)
    }
    expect(await run(reencryptObject(running.gateway), 'described')).toMatchObject({ outcome: 'done' })
    expect(await told(s3, 'described', { etag: etag() })).toMatchObject({ Metadata })
  })

  test('what was written since the run began stays, a copy that shares an older key does not', async () => {
    const s3 = running.client()
    const begun = Date.now() - 10
    await s3.send(new PutObjectCommand({ Bucket, Key: 'first', Body: 'first' }))
    expect(await run(reencryptObject(running.gateway), 'first', { begun })).toEqual(NEWER)
    const later = Date.now() + 5
    while (Date.now() <= later) await new Promise((resolve) => setTimeout(resolve, 5))
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/first` }))
    const objectKey = await objectKeyOf(running.gateway, 'first')
    expect((await objectKeyOf(running.gateway, 'copy')).equals(objectKey)).toBe(true)
    expect(await run(reencryptObject(running.gateway), 'copy', { begun: later })).toMatchObject({ outcome: 'done' })
    expect((await objectKeyOf(running.gateway, 'copy')).equals(objectKey)).toBe(false)
    expect(await run(reencryptObject(running.gateway), 'copy', { begun: later })).toEqual(NEWER)
    expect(await run(reencryptObject(running.gateway, { before: 0 }), 'first')).toEqual(NEWER)
  })

  test('a dry run says how much would be rewritten, and changes nothing', async () => {
    const stored = await world.stored('small')
    expect(await run(reencryptObject(running.gateway), 'small', { dryRun: true })).toEqual({
      outcome: 'done',
      bytes: 1_000,
    })
    expect((await world.stored('small')).equals(stored)).toBe(true)
  })

  test('facts that were lost are made again from the tail', async ({ skip }) => {
    skip(!etag(), 'the store keeps none')
    for (const key of ['small', 'one part', 'parts']) {
      const { ETag } = { ETag: undefined, ...(await told(running.client(), key, { etag: true })) }
      const { bytes, metadata } = await readStored(world.store, Bucket, key)
      await writeStored(world.store, Bucket, key, { bytes, metadata, facts: undefined })
      expect(await told(running.client(), key, { etag: true }), key).not.toMatchObject({ ETag })
      expect(await run(reencryptObject(running.gateway), key), key).toMatchObject({ outcome: 'done' })
      expect(await told(running.client(), key, { etag: true }), key).toMatchObject({ ETag })
    }
  })

  test.each([
    ['in its last chunk', 'with a foot', 5 * MIB],
    ['in its tail', 'parts', 5_251_000],
    ['in its first chunk', 'streamed', 5_000],
  ])('an object that is damaged %s fails and stays as it is', async (_where, key, at) => {
    const good = await readStored(world.store, Bucket, key)
    const bad = { ...good, bytes: flip(good.bytes, at) }
    await writeStored(world.store, Bucket, key, bad)
    // A process that has not read it before.
    const fresh = await world.start([world.old])
    expect(await run(reencryptObject(fresh.gateway), key)).toMatchObject({
      outcome: 'failed',
      cause: { name: 'Integrity' },
    })
    expect((await world.stored(key)).equals(bad.bytes)).toBe(true)
    await writeStored(world.store, Bucket, key, good)
    expect(
      (await read((await world.start([world.old])).client(), key)).equals(bodies.get(key) ?? Buffer.alloc(0)),
    ).toBe(true)
  })
})
