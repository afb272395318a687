// Jobs over every version: in a folder, and through a store that speaks S3.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import type { StepObject } from '../../src/object-step.ts'
import { startGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { DONE, JobWorld, nameOf } from './world.ts'

const BUCKET = 'files'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function openFolder(): Promise<LocalStore> {
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-jobs-'))
  const store = await LocalStore.open({ folder })
  closing.push(() => store.close().then(() => rmSync(folder, { recursive: true })))
  return store
}

/** The store that is walked, and the one that switches versions on. */
const WORLDS: Readonly<Record<string, () => Promise<{ walked: ObjectStore; inner: ObjectStore }>>> = {
  'in a folder': async () => {
    const store = await openFolder()
    return { walked: store, inner: store }
  },
  'through a store that speaks S3': async () => {
    const inner = await openFolder()
    const server = await startGateway({ store: inner })
    const walked = s3Store({ endpoint: server.endpoint, profile: { versions: true, tags: true } })
    closing.push(
      () => server.close(),
      () => walked.close(),
    )
    return { walked, inner }
  },
}

describe.each(Object.entries(WORLDS))('%s', (_, open) => {
  async function versioned(): Promise<JobWorld> {
    const { walked, inner } = await open()
    const world = await JobWorld.of({ [BUCKET]: ['never'] }, walked)
    await inner.updateBucket?.(BUCKET, { versioning: 'Enabled' })
    for (const key of ['k', 'k', 'k', 'deleted', 'z+ ü']) await world.put(BUCKET, key)
    await walked.delete(BUCKET, 'deleted')
    return world
  }

  test('every version has its step, delete markers have none', async () => {
    const world = await versioned()
    const seen: StepObject[] = []
    const report = await world.run({ buckets: [BUCKET], allVersions: true }, async (object) => {
      seen.push(object)
      return DONE
    })
    expect(seen.map(({ key, isLatest }) => [key, isLatest])).toEqual([
      ['deleted', false],
      ['k', true],
      ['k', false],
      ['k', false],
      ['never', true],
      ['z+ ü', true],
    ])
    expect(new Set(seen.map(nameOf)).size).toBe(6)
    expect(seen.map(({ versionId }) => versionId)).toContain('null')
    expect(report.counts.done).toBe(6)
  })

  test('one that was stopped within a key begins that key anew, and counts each version once', async () => {
    const world = await versioned()
    const stop = new AbortController()
    await world.run({ buckets: [BUCKET], allVersions: true, signal: stop.signal }, async ({ key }) => {
      if (key === 'k') stop.abort(new Error('stopped'))
      return DONE
    })
    expect(world.steps).toHaveLength(2)
    expect((await world.run({ buckets: [BUCKET], allVersions: true })).counts.done).toBe(6)
    expect(world.steps).toHaveLength(7)
  })

  test('the current ones alone are walked as objects', async () => {
    const world = await versioned()
    await world.run({ buckets: [BUCKET] })
    expect(world.steps).toEqual(['files/k', 'files/never', 'files/z+ ü'])
  })

  test('a key with more versions than a page', async () => {
    const { walked, inner } = await open()
    const world = await JobWorld.of({ [BUCKET]: [] }, walked)
    await inner.updateBucket?.(BUCKET, { versioning: 'Enabled' })
    const body = Buffer.from('x')
    for (let i = 0; i < 1_030; i += 1) {
      const once = async function* () {
        yield [body]
      }
      await inner.put(BUCKET, i < 5 ? 'j' : 'k', once(), { length: 1, metadata: {}, commit: async () => ({}) })
    }
    expect((await world.run({ buckets: [BUCKET], allVersions: true })).counts.done).toBe(1_030)
    expect(new Set(world.steps).size).toBe(1_030)
  })
})
