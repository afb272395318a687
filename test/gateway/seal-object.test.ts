/** Sealing single objects that lie in plaintext: in their place, and into another bucket; over each kind of store. */
import { randomBytes } from 'node:crypto'
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import { sealObject } from '../../src/gateway/steps/seal-object.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { replacing } from '../helpers/replacing.ts'
import { Bucket, customerKey, MIB, read, run, StepWorld } from '../helpers/step-world.ts'
import { STORES } from '../helpers/worlds.ts'

const SHAPES = new Map([
  ['empty', Buffer.alloc(0)],
  ['small', randomBytes(1_000)],
  ['large', randomBytes(6 * MIB)],
])

describe.each(Object.entries(STORES))('%s', (_name, open) => {
  let world: StepWorld
  let running: TestGateway

  beforeAll(async () => {
    world = new StepWorld(await open(), {
      rules: (bucket) => ({ contents: bucket === Bucket ? 'mixed' : 'sealed' }),
      customerKeysOverHttp: true,
    })
    running = await world.start([world.old])
    for (const name of [Bucket, 'sealed', 'strict'])
      await running.client().send(new CreateBucketCommand({ Bucket: name }))
  })
  afterAll(() => world.close())

  const putPlain = (key: string, body: Buffer, bucket = Bucket) => {
    const metadata = { owner: 'somebody' }
    return world.store.put(bucket, key, new HeldBody([body]), { metadata, commit: async () => ({}) })
  }

  test('plaintext of every size is sealed in its place, with its metadata; then there is nothing left to do', async () => {
    const s3 = running.client()
    for (const [key, body] of SHAPES) {
      await putPlain(key, body)
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key: key }))
      expect(await run(sealObject(running.gateway), key, { dryRun: true })).toEqual({
        outcome: 'done',
        bytes: body.length,
      })
      expect((await world.store.head(Bucket, key))?.metadata).toEqual({ owner: 'somebody' })
      expect(await run(sealObject(running.gateway), key), key).toEqual({ outcome: 'done', bytes: body.length })
      expect(Object.keys((await world.store.head(Bucket, key))?.metadata ?? {}).sort()).toEqual(['sg-e', 'sg-m'])
      if (body.length > 0) expect((await world.stored(key)).includes(body.subarray(0, 64))).toBe(false)
      expect((await read(s3, key)).equals(body), key).toBe(true)
      const now = await s3.send(new HeadObjectCommand({ Bucket, Key: key }))
      expect(now).toMatchObject({ Metadata: { owner: 'somebody' }, ContentLength: body.length })
      expect(now.ContentType).toBe(head.ContentType)
      expect(await run(sealObject(running.gateway), key)).toEqual({ outcome: 'unchanged', why: 'it is sealed' })
    }
  })

  test('so it is beyond one request to the store', async () => {
    const body = randomBytes(17 * MIB)
    await putPlain('parts', body)
    const capabilities = { ...world.store.capabilities, requestLimit: 9 * MIB }
    const narrow = await world.start([world.old], { store: replacing(world.store, { capabilities }) })
    expect(await run(sealObject(narrow.gateway), 'parts')).toEqual({ outcome: 'done', bytes: body.length })
    expect((await read(running.client(), 'parts')).equals(body)).toBe(true)
  })

  test('where contents are sealed, plaintext is not made one of them', async () => {
    await putPlain('planted', Buffer.from('planted'), 'strict')
    const outcome = await sealObject(running.gateway)(
      { bucket: 'strict', key: 'planted', isLatest: true },
      { dryRun: false, begun: 0, signal: new AbortController().signal },
    )
    expect(outcome).toMatchObject({ outcome: 'failed', cause: { code: 'AccessDenied' } })
    expect((await world.store.head('strict', 'planted'))?.metadata).toEqual({ owner: 'somebody' })
  })

  test('into another bucket go plaintext and sealed objects, each once', async () => {
    const s3 = running.client()
    await putPlain('a', Buffer.from('plain a'))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'b', Body: 'sealed b', ContentType: 'text/b' }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'c', Body: 'theirs', ...customerKey() }))
    // Where two objects of one second are told apart the other bucket's must be the newer one.
    const second = Date.now() + 1_100
    while (Date.now() < second) await new Promise((resolve) => setTimeout(resolve, 50))
    const step = sealObject(running.gateway, { into: 'sealed' })
    expect(await run(step, 'a', { dryRun: true })).toEqual({ outcome: 'done', bytes: 7 })
    expect(await world.store.head('sealed', 'a')).toBeUndefined()
    expect(await run(step, 'a')).toEqual({ outcome: 'done', bytes: 7 })
    expect(await run(step, 'b')).toEqual({ outcome: 'done', bytes: 8 })
    expect(await run(step, 'c')).toMatchObject({ outcome: 'untouchable' })
    const b = await s3.send(new HeadObjectCommand({ Bucket: 'sealed', Key: 'b' }))
    expect([b.ContentType, b.ContentLength]).toEqual(['text/b', 8])
    expect((await world.store.head(Bucket, 'a'))?.metadata).toEqual({ owner: 'somebody' })
    for (const key of ['a', 'b']) {
      expect(await run(step, key)).toEqual({ outcome: 'unchanged', why: 'the other bucket has it' })
    }
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    await putPlain('a', Buffer.from('newer a'))
    expect(await run(step, 'a')).toMatchObject({ outcome: 'done' })
    expect((await world.store.head('sealed', 'a'))?.metadata['sg-e']).toBeDefined()
  })
})
