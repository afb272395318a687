// What the embedded store costs, beside plain files. Prints one line a figure.
// npx esbuild bench/local-store.ts --bundle --packages=external --platform=node --format=esm --outfile=.build/local-store.mjs && node .build/local-store.mjs
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { LocalStore } from '../src/backends/local.ts'
import type { Body } from '../src/backends/body.ts'

const KIB = 1024
const MIB = KIB * KIB
const BUCKET = 'bench'
const folder = mkdtempSync(join(process.env.BENCH_FOLDER ?? tmpdir(), 'sealgate-bench-'))
const options = { metadata: { 'sg-e': 'x'.repeat(200) }, commit: () => Promise.resolve({ facts: Buffer.alloc(120) }) }

function report(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(64)} ${figure}\n`)
}

async function* bodyOf(content: Buffer, batch = 65_536): Body {
  for (let at = 0; at < content.length; at += batch) yield [content.subarray(at, at + batch)]
}

/** Milliseconds of wall clock and of CPU. */
async function timed(action: () => Promise<unknown>): Promise<{ wall: number; cpu: number }> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await action()
  const { user, system } = process.cpuUsage(cpu)
  return { wall: performance.now() - start, cpu: (user + system) / 1000 }
}

async function inParallel(lanes: number, count: number, action: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < count) await action(next++)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

async function smallObjects(): Promise<void> {
  for (const size of [KIB, 4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB, 64 * KIB]) {
    for (const inlineBytes of [MIB, 0]) {
      const place = inlineBytes === 0 ? 'file ' : 'index'
      const own = join(folder, `small-${size}-${inlineBytes}`)
      const store = await LocalStore.open({ folder: own, inlineBytes })
      await store.createBucket(BUCKET)
      const content = Buffer.alloc(size, 7)
      const put = (i: number) => store.put(BUCKET, `key-${i}`, bodyOf(content), { ...options, length: size })
      const get = async (i: number) => {
        for await (const _ of (await store.get(BUCKET, `key-${i}`)).body);
      }
      await inParallel(8, 50, put)
      for (const lanes of [1, 32]) {
        const count = lanes === 1 ? 200 : 2_000
        const puts = await timed(() => inParallel(lanes, count, put))
        const gets = await timed(() => inParallel(lanes, count, get))
        const each = (ms: number) => `${Math.round((ms * 1000) / count)} us`
        report(
          `${size / KIB} KiB in ${place}, ${lanes} at a time`,
          `put ${Math.round((count / puts.wall) * 1000)}/s (CPU ${each(puts.cpu)})  get ${Math.round((count / gets.wall) * 1000)}/s (CPU ${each(gets.cpu)})`,
        )
      }
      await store.close()
    }
  }
}

async function largeObjects(): Promise<void> {
  const store = await LocalStore.open({ folder: join(folder, 'large') })
  await store.createBucket(BUCKET)
  const content = Buffer.alloc(64 * MIB, 9)
  const source = join(folder, 'plain')
  const perGib = ({ wall, cpu }: { wall: number; cpu: number }, runs: number) =>
    `${(((cpu / runs) * 16) / 1000).toFixed(2)} CPU s/GiB, ${Math.round((64 * runs) / (wall / 1000))} MiB/s`
  const runs = 6
  const times = async (action: () => Promise<unknown>) => {
    await action()
    return timed(() => inParallel(1, runs, action))
  }
  const put = () => store.put(BUCKET, 'large', bodyOf(content), { ...options, length: content.length })
  report('64 MiB put', perGib(await times(put), runs))
  const plainPut = async () => {
    await pipeline(
      async function* () {
        for await (const batch of bodyOf(content)) yield* batch
      },
      createWriteStream(source, { flush: true }),
    )
    await rename(source, `${source}-2`)
  }
  report('64 MiB plain write stream, synced', perGib(await times(plainPut), runs))
  const get = async () => {
    for await (const _ of (await store.get(BUCKET, 'large')).body);
  }
  report('64 MiB get', perGib(await times(get), runs))
  const plainGet = async () => {
    for await (const _ of createReadStream(`${source}-2`));
  }
  report('64 MiB plain read stream (64 KiB blocks)', perGib(await times(plainGet), runs))
  const plainRead = async () => {
    const file = await open(`${source}-2`)
    for (let at = 0; at < content.length; at += 512 * KIB)
      await file.read(Buffer.allocUnsafeSlow(512 * KIB), 0, 512 * KIB, at)
    await file.close()
  }
  report('64 MiB plain reads of 512 KiB', perGib(await times(plainRead), runs))
  await store.close()
}

async function pages(): Promise<void> {
  const store = await LocalStore.open({ folder: join(folder, 'pages') })
  for (const count of [1_000, 100_000]) {
    const bucket = `${BUCKET}-${count}`
    await store.createBucket(bucket)
    const filled = await timed(() =>
      inParallel(256, count, (i) =>
        store.put(bucket, `folder-${String(i % 1000).padStart(4, '0')}/key-${i}`, bodyOf(Buffer.alloc(100)), options),
      ),
    )
    report(`filling a bucket with ${count} objects, 256 at a time`, `${Math.round((count / filled.wall) * 1000)}/s`)
    const rounds = 50
    const flat = await timed(() =>
      inParallel(1, rounds, () => store.list(bucket, { prefix: '', after: 'folder-0', limit: 1000 })),
    )
    report(`page of 1,000 of ${count}`, `${(flat.wall / rounds).toFixed(2)} ms`)
    const grouped = await timed(() =>
      inParallel(1, rounds, () => store.list(bucket, { prefix: '', delimiter: '/', limit: 1000 })),
    )
    report(`page of 1,000 common prefixes over ${count}`, `${(grouped.wall / rounds).toFixed(2)} ms`)
  }
  await store.close()
}

try {
  await smallObjects()
  await largeObjects()
  await pages()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
