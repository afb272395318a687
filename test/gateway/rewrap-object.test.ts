/** Deep re-wrap of single objects: what stays, what changes, what may not be touched; over each kind of store. */
import { randomBytes } from 'node:crypto'
import { DeleteBucketEncryptionCommand, PutBucketEncryptionCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { HeldBody } from '../../src/backends/body.ts'
import { rewrapObject } from '../../src/gateway/steps/rewrap-object.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import { withFailover } from '../../src/keys/failover.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import type { Keyring } from '../../src/keys/keyring.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { Bucket, customerKey, read, run, StepWorld, told, writeShapes } from '../helpers/step-world.ts'
import { STORES } from '../helpers/worlds.ts'

const UP_TO_DATE = { outcome: 'unchanged', why: 'its envelope is up to date' }

describe.each(Object.entries(STORES))('%s', (_name, open) => {
  let world: StepWorld
  let before: TestGateway
  let after: TestGateway
  let bodies: ReadonlyMap<string, Buffer>
  const seen = new Map<string, unknown>()
  const etag = () => world.store.capabilities.facts

  beforeAll(async () => {
    world = new StepWorld(await open(), { customerKeysOverHttp: true, rules: () => ({ contents: 'mixed' }) })
    before = await world.start([world.old])
    const s3 = before.client()
    bodies = await writeShapes(s3)
    for (const key of bodies.keys()) seen.set(key, await told(s3, key, { etag: etag() }))
    after = await world.start([world.next, world.old])
  }, 60_000)
  afterAll(() => world.close())

  test('a dry run says what would be done, and changes nothing', async () => {
    const envelope = await world.envelope('small')
    expect(await run(rewrapObject(after.gateway), 'small', { dryRun: true })).toEqual({ outcome: 'done', bytes: 0 })
    expect((await world.envelope('small')).raw).toEqual(envelope.raw)
  })

  test('only objects of one key manager, where one is named', async () => {
    expect(await run(rewrapObject(after.gateway, { from: 'next' }), 'small')).toMatchObject({ outcome: 'unchanged' })
    expect((await world.envelope('small')).alias).toBe('old')
  })

  test('objects of every shape get a new envelope, their bytes stay, and clients see no difference', async () => {
    const s3 = after.client()
    for (const [key, body] of bodies) {
      const stored = await world.stored(key)
      expect(await run(rewrapObject(after.gateway), key), key).toEqual({ outcome: 'done', bytes: 0 })
      const { alias, flags } = await world.envelope(key)
      expect([alias, flags.inlineKey], key).toEqual(['next', true])
      expect((await world.stored(key)).equals(stored), key).toBe(true)
      expect((await read(s3, key)).equals(body), key).toBe(true)
      expect(await told(s3, key, { etag: etag() }), key).toEqual(seen.get(key))
      expect(await run(rewrapObject(after.gateway), key), key).toEqual(UP_TO_DATE)
    }
  })

  test('then the object and the key manager of now are enough: no keyring, no older manager', async () => {
    for (const key of bodies.keys()) await run(rewrapObject(after.gateway), key)
    const alone = (await world.start([world.next], { state: new MemoryStore() })).client()
    for (const [key, body] of bodies) expect((await read(alone, key)).equals(body), key).toBe(true)
  })

  test('what a client asked to be under a key manager stays under it, unless another is named', async () => {
    const asked = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'old' } as const
    await after.client().send(new PutObjectCommand({ Bucket, Key: 'asked', Body: 'asked', ...asked }))
    expect(await run(rewrapObject(after.gateway), 'asked')).toEqual(UP_TO_DATE)
    expect(await run(rewrapObject(after.gateway, { to: 'next' }), 'asked')).toEqual({ outcome: 'done', bytes: 0 })
    expect((await world.envelope('asked')).alias).toBe('next')
    expect((await read(after.client(), 'asked')).toString()).toBe('asked')
  })

  test('nobody stands in for the active key manager: what is there already can wait', async () => {
    const s3 = before.client()
    await s3.send(new PutObjectCommand({ Bucket, Key: 'waits', Body: 'waits' }))
    const away: KeyManager = new MemoryKeyManager({ alias: 'away', random: randomBytes })
    await away.close()
    const standIn = { order: ['next'], clock: Date.now, entries: 10, onFailover: () => undefined }
    const managers = new Map([away, world.next, world.old].map((manager) => [manager.alias, manager]))
    const options = { managers, activeAlias: 'away', clock: Date.now }
    const keys = (keyring: Keyring) => withFailover(createBucketKeys({ ...options, keyring }), standIn)
    const { gateway } = await world.start([], { keys })
    expect((await gateway.keys.active(Bucket)).alias).toBe('next')
    const outcome = await run(rewrapObject(gateway, { active: 'away' }), 'waits')
    expect(outcome).toMatchObject({ outcome: 'failed', cause: { name: 'Unavailable' } })
    expect((await world.envelope('waits')).alias).toBe('old')
  })

  test('what asks for nothing goes to the key manager that its bucket names by now', async () => {
    const rule = (KMSMasterKeyID: string) => ({
      Bucket,
      ServerSideEncryptionConfiguration: {
        Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' as const, KMSMasterKeyID } }],
      },
    })
    const s3 = after.client()
    await s3.send(new PutObjectCommand({ Bucket, Key: 'default', Body: 'default' }))
    await s3.send(new PutBucketEncryptionCommand(rule('old')))
    const later = await world.start([world.next, world.old])
    expect(await run(rewrapObject(later.gateway), 'default')).toMatchObject({ outcome: 'done' })
    expect((await world.envelope('default')).alias).toBe('old')
    await s3.send(new DeleteBucketEncryptionCommand({ Bucket }))
  })

  test('a keyring that was wrapped anew makes it due again, under the same manager too', async () => {
    const s3 = after.client()
    await s3.send(new PutObjectCommand({ Bucket, Key: 'fresh', Body: 'fresh' }))
    expect(await run(rewrapObject(after.gateway), 'fresh')).toEqual(UP_TO_DATE)
    const { wrapped } = await world.envelope('fresh')
    await world.rewrapKeyring('next')
    // Another process: what this one has read stays read.
    const later = await world.start([world.next, world.old])
    // What is sealed meanwhile may carry the form in which the key of the day was published.
    await later.client().send(new PutObjectCommand({ Bucket, Key: 'meanwhile', Body: 'meanwhile' }))
    await run(rewrapObject(later.gateway), 'meanwhile')
    expect((await world.envelope('meanwhile')).wrapped.equals(wrapped)).toBe(false)
    expect(await run(rewrapObject(later.gateway), 'meanwhile')).toEqual(UP_TO_DATE)
    expect(await run(rewrapObject(later.gateway), 'fresh')).toEqual({ outcome: 'done', bytes: 0 })
    expect((await world.envelope('fresh')).wrapped.equals(wrapped)).toBe(false)
    expect(await run(rewrapObject(later.gateway), 'fresh')).toEqual(UP_TO_DATE)
  })

  test('plaintext stays as it is, and so do objects under a key of their client', async () => {
    await world.store.put(Bucket, 'plain', new HeldBody([Buffer.from('plain')]), {
      metadata: {},
      commit: async () => ({}),
    })
    expect(await run(rewrapObject(after.gateway), 'plain')).toEqual({
      outcome: 'unchanged',
      why: 'it lies in plaintext',
    })
    const s3 = before.client()
    await s3.send(new PutObjectCommand({ Bucket, Key: 'theirs', Body: 'theirs', ...customerKey() }))
    expect(await run(rewrapObject(after.gateway), 'theirs')).toMatchObject({ outcome: 'untouchable' })
    expect(await run(rewrapObject(after.gateway), 'missing')).toEqual({ outcome: 'overtaken' })
  })

  test('an object that does not open fails, and stays', async () => {
    const info = await world.store.head(Bucket, 'small')
    // The envelope of another name.
    const stored = await world.stored('small')
    const metadata = info?.metadata ?? {}
    await world.store.put(Bucket, 'damaged', new HeldBody([stored]), { metadata, commit: async () => ({}) })
    const outcome = await run(rewrapObject(after.gateway), 'damaged')
    expect(outcome).toMatchObject({ outcome: 'failed', cause: { name: 'Integrity' } })
    expect((await world.store.head(Bucket, 'damaged'))?.metadata).toEqual(metadata)
  })
})
