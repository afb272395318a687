/**
 * Steps of jobs beside clients: something else happens to the object before each call that a step makes to the store, one after
 * the other. What the client did stands; and what the step answers is true.
 */
import { randomBytes } from 'node:crypto'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import type { Gateway } from '../../src/gateway/gateway.ts'
import { reencryptObject } from '../../src/gateway/steps/re-encrypt-object.ts'
import { rewrapObject } from '../../src/gateway/steps/rewrap-object.ts'
import { sealObject } from '../../src/gateway/steps/seal-object.ts'
import type { ObjectStep } from '../../src/object-step.ts'
import { CountingStore } from '../helpers/counting-store.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { replacing } from '../helpers/replacing.ts'
import { Bucket, MIB, read, run, StepWorld } from '../helpers/step-world.ts'
import { STORES } from '../helpers/worlds.ts'

const key = 'contended'
const Locked = 'locked'
const SMALL = randomBytes(1_000)
const STREAMED = randomBytes(2 * MIB)

interface Contest {
  readonly name: string
  readonly step: (gateway: Gateway) => ObjectStep
  readonly body: Buffer
  readonly plain?: boolean
  readonly inParts?: boolean
}

const CONTESTS: readonly Contest[] = [
  { name: 're-wrap', step: (gateway) => rewrapObject(gateway), body: SMALL },
  { name: 're-encrypt, gathered', step: (gateway) => reencryptObject(gateway), body: SMALL },
  { name: 're-encrypt, streamed', step: (gateway) => reencryptObject(gateway), body: STREAMED },
  { name: 're-encrypt, in parts', step: (gateway) => reencryptObject(gateway), body: STREAMED, inParts: true },
  { name: 'seal, gathered', step: (gateway) => sealObject(gateway), body: SMALL, plain: true },
  { name: 'seal, streamed', step: (gateway) => sealObject(gateway), body: STREAMED, plain: true },
]

describe.each(Object.entries(STORES))('%s', (_name, open) => {
  let world: StepWorld
  let client: TestGateway
  let counted: CountingStore
  let whole: Gateway
  let parts: Gateway

  beforeAll(async () => {
    world = new StepWorld(await open(), { rules: () => ({ contents: 'mixed' }) })
    client = await world.start([world.old, world.next])
    counted = new CountingStore(world.store)
    const limits = { capabilities: { ...world.store.capabilities, requestLimit: MIB } }
    whole = (await world.start([world.next, world.old], { store: counted.store })).gateway
    parts = (await world.start([world.next, world.old], { store: replacing(counted.store, limits) })).gateway
    await client.client().send(new CreateBucketCommand({ Bucket }))
    if (world.store.capabilities.versions)
      await client.client().send(new CreateBucketCommand({ Bucket: Locked, ObjectLockEnabledForBucket: true }))
  })
  afterAll(() => world.close())

  const prepare = async ({ body, plain }: Contest) => {
    if (plain === true) {
      await world.store.put(Bucket, key, new HeldBody([body]), { metadata: {}, commit: async () => ({}) })
    } else {
      await client.client().send(new PutObjectCommand({ Bucket, Key: key, Body: body, ChecksumAlgorithm: 'CRC32' }))
    }
  }

  /** Before each call of the step in turn, `between` happens; `check` says what must be true then. */
  const contend = async (
    contest: Contest,
    between: () => Promise<unknown>,
    check: (at: string, outcome: Awaited<ReturnType<ObjectStep>>) => Promise<void>,
  ) => {
    const step = contest.step(contest.inParts === true ? parts : whole)
    await prepare(contest)
    // What is asked once for a bucket is asked here.
    expect(await run(step, key), contest.name).toMatchObject({ outcome: 'done' })
    await prepare(contest)
    counted.arm()
    expect(await run(step, key), contest.name).toMatchObject({ outcome: 'done' })
    const calls = counted.calls.length
    expect(calls).toBeGreaterThan(1)
    for (let at = 0; at < calls; at += 1) {
      await prepare(contest)
      counted.arm(at, between)
      const outcome = await run(step, key)
      const name = counted.calls[at] ?? 'none'
      counted.arm()
      await check(`${contest.name}, before call ${at}, ${name}`, outcome)
    }
  }

  test.each(CONTESTS)(
    '$name: a store that fails at any call, or loses its answer, loses no object',
    async (contest) => {
      const s3 = client.client()
      const step = contest.step(contest.inParts === true ? parts : whole)
      await prepare(contest)
      counted.arm()
      expect(await run(step, key)).toMatchObject({ outcome: 'done' })
      const calls = counted.calls.length
      for (const when of ['before', 'after'] as const) {
        for (let at = 0; at < calls; at += 1) {
          await prepare(contest)
          counted.arm(at, when)
          const { outcome } = await run(step, key)
          const where = `${when} call ${at}, ${counted.calls[at]}`
          counted.arm()
          expect(['done', 'failed'], where).toContain(outcome)
          expect((await read(s3, key)).equals(contest.body), where).toBe(true)
          expect(['done', 'unchanged'], where).toContain((await run(step, key)).outcome)
        }
      }
      const { uploads } = await world.store.listUploads(Bucket, { prefix: '', limit: 1_000 })
      // An upload whose Create lost its answer is known to nobody; the store's own rules collect it.
      expect(uploads.length).toBeLessThanOrEqual(contest.inParts === true ? 1 : 0)
      for (const { uploadId } of uploads) await world.store.abortUpload({ bucket: Bucket, key, uploadId })
    },
  )

  test.each(CONTESTS)('$name: what a client puts meanwhile stands', async (contest) => {
    const s3 = client.client()
    const theirs = randomBytes(2_000)
    let overtaken = 0
    await contend(
      contest,
      () => s3.send(new PutObjectCommand({ Bucket, Key: key, Body: theirs })),
      async (at, outcome) => {
        expect((await read(s3, key)).equals(theirs), at).toBe(true)
        expect(['done', 'unchanged', 'overtaken'], at).toContain(outcome.outcome)
        if (outcome.outcome === 'overtaken') overtaken += 1
      },
    )
    expect(overtaken).toBeGreaterThan(0)
  })

  test.each(CONTESTS)('$name: what a client deletes meanwhile stays deleted', async (contest) => {
    const s3 = client.client()
    await contend(
      contest,
      () => s3.send(new DeleteObjectCommand({ Bucket, Key: key })),
      async (at, outcome) => {
        await expect(s3.send(new GetObjectCommand({ Bucket, Key: key })), at).rejects.toMatchObject({
          name: 'NoSuchKey',
        })
        expect(['done', 'overtaken'], at).toContain(outcome.outcome)
      },
    )
  })

  test.each(CONTESTS.filter(({ plain }) => plain !== true))(
    '$name: what a client says of it meanwhile stands',
    async (contest) => {
      const s3 = client.client()
      const CopySource = `${Bucket}/${key}`
      const Metadata = { said: 'meanwhile' }
      await contend(
        contest,
        () => s3.send(new CopyObjectCommand({ Bucket, Key: key, CopySource, MetadataDirective: 'REPLACE', Metadata })),
        async (at, { outcome }) => {
          // Other metadata of equal bytes is nothing that S3 could be asked to look at (docs/operations.md).
          const blind = world.store.capabilities.native && / (put|copy|completeUpload)$/.test(at)
          const { Metadata: found } = await s3.send(new HeadObjectCommand({ Bucket, Key: key }))
          if (!blind) expect(found, at).toEqual(Metadata)
          expect(['done', 'unchanged', 'overtaken'], at).toContain(outcome)
        },
      )
    },
  )

  test.each(CONTESTS.filter(({ plain }) => plain !== true))(
    '$name: a tag and a legal hold that a client puts on it meanwhile stand',
    async (contest) => {
      if (!world.store.capabilities.versions) return
      const s3 = client.client()
      const asked = { Bucket: Locked, Key: key, ChecksumAlgorithm: 'CRC32' } as const
      const Tagging = { TagSet: [{ Key: 'said', Value: 'meanwhile' }] }
      const put = async () => {
        await s3.send(new PutObjectCommand({ ...asked, Body: contest.body, Tagging: 'said=before' }))
      }
      const between = async () => {
        await s3.send(new PutObjectTaggingCommand({ ...asked, Tagging }))
        await s3.send(new PutObjectLegalHoldCommand({ ...asked, LegalHold: { Status: 'ON' } }))
      }
      const step = contest.step(contest.inParts === true ? parts : whole)
      const go = () => run((object, options) => step({ ...object, bucket: Locked }, options), key)
      await put()
      await go()
      await put()
      counted.arm()
      await go()
      const { calls } = counted
      for (let at = 0; at < calls.length; at += 1) {
        await put()
        counted.arm(at, between)
        const { outcome } = await go()
        const called = counted.calls[at] ?? 'none'
        const where = `before call ${at}, ${called}`
        counted.arm()
        // In the last moment nothing could be asked to look at them (docs/operations.md).
        if (!/^(put|copy|completeUpload)$/.test(called) || contest.name.endsWith('streamed')) {
          const { TagSet } = await s3.send(new GetObjectTaggingCommand(asked))
          expect(TagSet, where).toEqual(Tagging.TagSet)
          const { LegalHold } = await s3.send(new GetObjectLegalHoldCommand(asked))
          expect(LegalHold, where).toEqual({ Status: 'ON' })
        }
        expect(['done', 'overtaken', 'untouchable'], where).toContain(outcome)
      }
    },
  )
})
