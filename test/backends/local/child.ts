// A process that uses a local store, for processes.test.ts: node child.mjs FOLDER MODE NUMBER. Speaks in lines of JSON.
import { writeSync } from 'node:fs'
import { LocalStore } from '../../../src/backends/local.ts'
import { StoreError } from '../../../src/backends/object-store.ts'

const [folder = '', mode = '', number = '0'] = process.argv.slice(2)

/** Synchronous, so that a kill cannot lose what was said. */
function say(message: unknown): void {
  writeSync(1, `${JSON.stringify(message)}\n`)
}

async function* bodyOf(content: Buffer) {
  for (let at = 0; at < content.length; at += 65_536) {
    await Promise.resolve()
    yield [content.subarray(at, at + 65_536)]
  }
}

const options = { metadata: {}, commit: () => Promise.resolve({}) }

async function refused(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return false
  } catch (error) {
    if (error instanceof StoreError && error.refusal === 'precondition-failed') return true
    throw error
  }
}

/** Who is first with each of 200 names? */
async function race(store: LocalStore): Promise<void> {
  const won: string[] = []
  const tryName = async (name: string) => {
    const content = Buffer.alloc(name.endsWith('0') ? 50_000 : 10, number)
    if (!(await refused(store.put('b', name, bodyOf(content), { ...options, condition: { ifNoneMatch: '*' } }))))
      won.push(name)
  }
  for (let i = 0; i < 200; i += 10) await Promise.all(Array.from({ length: 10 }, (_, j) => tryName(`race-${i + j}`)))
  say({ won })
}

/** Adds 1 to a counter 40 times, by compare and swap. */
async function count(store: LocalStore): Promise<void> {
  for (let done = 0; done < 40; ) {
    const { info, body } = await store.get('b', 'counter')
    let text = ''
    for await (const batch of body) text += Buffer.concat(batch).toString()
    const next = Buffer.from(String(Number(text) + 1).padStart(20_000, '0'))
    if (!(await refused(store.put('b', 'counter', bodyOf(next), { ...options, condition: { ifMatch: info.etag } }))))
      done++
  }
  say({ counted: 40 })
}

/** Writes for ever, five at a time, and says what is done. Objects are filled with one byte, which their metadata name. */
async function write(store: LocalStore): Promise<void> {
  const one = async (lane: number) => {
    for (let i = 0; ; i++) {
      const key = `${number}-${lane}-${i % 7}`
      const fill = (i * 5 + lane) % 256
      const size = [10, 5_000, 100_000, 3_000_000, 0][(i + lane) % 5] ?? 0
      const metadata = { fill: String(fill) }
      const content = Buffer.alloc(size, fill)
      say({ begin: key })
      if (i % 11 === 10) {
        await store.delete('b', key)
        say({ key, gone: true })
      } else if (i % 5 === 4) {
        const upload = { bucket: 'b', key, uploadId: await store.createUpload('b', key, { metadata }) }
        const parts: { partNumber: number; etag: string }[] = []
        for (let n = 1; n <= 3; n++)
          parts.push({ partNumber: n, etag: (await store.putPart(upload, n, bodyOf(content), {})).etag })
        const { etag } = await store.completeUpload(upload, { parts })
        say({ key, etag })
      } else {
        const { etag } = await store.put('b', key, bodyOf(content), { ...options, metadata })
        say({ key, etag })
      }
    }
  }
  await Promise.all([0, 1, 2, 3, 4].map(one))
}

/** Makes and deletes versions of few keys for ever, as every process does, and says which. Deletes only versions of its own. */
async function versions(store: LocalStore): Promise<void> {
  const one = async (lane: number) => {
    const own: { key: string; id: string }[] = []
    for (let i = lane; ; i += 3) {
      const key = `v-${i % 4}`
      const old = i % 5 === 4 ? own.shift() : undefined
      if (old !== undefined) {
        say({ removing: old.id })
        await store.delete('v', old.key, { versionId: old.id })
        say({ removed: old.id })
      } else if (i % 7 === 6) {
        const { attributes } = await store.delete('v', key)
        const id = attributes?.['x-amz-version-id'] ?? ''
        own.push({ key, id })
        say({ marker: id, key })
      } else {
        const fill = i % 256
        const content = Buffer.alloc(i % 2 === 0 ? 10 : 50_000, fill)
        const { versionId: id = '' } = await store.put('v', key, bodyOf(content), options)
        own.push({ key, id })
        say({ made: id, key, fill, size: content.length })
      }
    }
  }
  await Promise.all([0, 1, 2].map(one))
}

/** Fills the disk (the caller limits the size of files) and says how that ended. */
async function fill(store: LocalStore): Promise<void> {
  let written = 0
  const failures: string[] = []
  process.on('unhandledRejection', () => failures.push('unhandled rejection'))
  for (let i = 0; i < 60; i++) {
    try {
      await Promise.all([0, 1].map((j) => store.put('b', `fill-${i}-${j}`, bodyOf(Buffer.alloc(7_000, 1)), options)))
      written++
    } catch (error) {
      failures.push(error instanceof Error ? `${error.name}: ${error.message}` : String(error))
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
  const { objects } = await store.list('b', { prefix: '', limit: 1000 })
  say({ written, listed: objects.length, failures: [...new Set(failures)] })
}

/** Reads one object over and over; says how often it came back whole. */
async function read(store: LocalStore): Promise<void> {
  let whole = 0
  const end = Date.now() + 1_500
  while (Date.now() < end) {
    const { info, body } = await store.get('b', 'shared')
    let size = 0
    for await (const batch of body) {
      for (const piece of batch) {
        size += piece.length
        if (piece.some((byte) => String(byte) !== info.metadata.fill)) throw new Error('bytes of another object')
      }
    }
    if (size !== info.size) throw new Error(`${size} of ${info.size} bytes`)
    whole++
  }
  say({ whole })
}

/** Replaces that object over and over, by objects of many pieces and of one. */
async function replace(store: LocalStore): Promise<void> {
  const end = Date.now() + 1_500
  for (let i = 0; Date.now() < end; i++) {
    const fillByte = i % 256
    const metadata = { fill: String(fillByte) }
    if (i % 3 === 0) {
      await store.put('b', 'shared', bodyOf(Buffer.alloc(700_000, fillByte)), { ...options, metadata })
      continue
    }
    const upload = { bucket: 'b', key: 'shared', uploadId: await store.createUpload('b', 'shared', { metadata }) }
    const parts = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => ({
        partNumber: n + 1,
        etag: (await store.putPart(upload, n + 1, bodyOf(Buffer.alloc(40_000, fillByte)), {})).etag,
      })),
    )
    await store.completeUpload(upload, { parts })
  }
  say({ replaced: true })
}

const store = await LocalStore.open({ folder })
const modes: Record<string, (store: LocalStore) => Promise<void>> = {
  race,
  count,
  write,
  fill,
  read,
  replace,
  versions,
}
await modes[mode]?.(store)
await store.close()
say({ closed: true })
