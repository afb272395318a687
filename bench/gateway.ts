/** The gateway over the embedded store against a server that only copies bodies to and from files, in one run. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BenchClient, type Exchange } from './client.ts'
import {
  anonymousBytes,
  bundle,
  bytesRead,
  cpuSeconds,
  median,
  ROOT,
  type Running,
  start,
  startSealgate,
} from './processes.ts'

const MIB = 1024 * 1024
const BODY_BYTES = 64 * MIB
const ROUNDS = 7
const OBJECTS_EACH = 4

export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The most, or the least, that the project allows itself. */
  readonly bound?: number
  readonly least?: number
}

interface Pair {
  readonly gateway: Running
  readonly copy: Running
  readonly toGateway: BenchClient
  readonly toCopy: BenchClient
}

/** Runs everything that needs a gateway. `parts` chooses; an empty list means all. */
export async function benchGateway(parts: readonly string[]): Promise<Row[]> {
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'bench-'))
  const pair = await startPair(folder)
  const wanted = (part: string): boolean => parts.length === 0 || parts.includes(part)
  const rows: Row[] = []
  try {
    check(await pair.toGateway.put('/bench', 0))
    if (wanted('large')) rows.push(...(await largeBodies(pair)))
    if (wanted('range')) rows.push(...(await ranges(pair)))
    if (wanted('list')) rows.push(...(await listings(pair)))
    if (wanted('memory')) rows.push(...(await memory(pair)))
    return rows
  } finally {
    pair.toGateway.close()
    pair.toCopy.close()
    await Promise.all([pair.gateway.stop(), pair.copy.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
}

async function startPair(folder: string): Promise<Pair> {
  const { running: gateway, endpoint, credentials } = await startSealgate(join(folder, 'data'))
  const copy = await start([process.execPath, await bundle('bench/copy-server.ts'), folder], {}, /listening (\d+)/)
  return {
    gateway,
    copy,
    toGateway: new BenchClient(endpoint, credentials),
    toCopy: new BenchClient(`http://127.0.0.1:${copy.match[1]}`),
  }
}

/** CPU of 64 MiB bodies, rounds of both servers in turn, beside the cost of the cipher and of MD5 measured alone in the same rounds. */
async function largeBodies({ gateway, copy, toGateway, toCopy }: Pair): Promise<Row[]> {
  const samples: Record<string, number[]> = {
    gatewayPut: [],
    gatewayGet: [],
    copyPut: [],
    copyGet: [],
    cipher: [],
    md5: [],
  }
  const note = (name: string, value: number): void => void samples[name]?.push(value)
  for (let round = 0; round <= ROUNDS; round += 1) {
    const step: [string, number][] = [
      ['gatewayPut', await cpuOf(gateway, (i) => toGateway.put(`/bench/large-${i}`, BODY_BYTES))],
      ['copyPut', await cpuOf(copy, (i) => toCopy.put(`/large-${i}`, BODY_BYTES))],
      ['gatewayGet', await cpuOf(gateway, (i) => toGateway.get(`/bench/large-${i}`))],
      ['copyGet', await cpuOf(copy, (i) => toCopy.get(`/large-${i}`))],
      ['cipher', ownCpu(cipherAlone)],
      ['md5', ownCpu(md5Alone)],
    ]
    // The first round warms up.
    if (round > 0) for (const [name, value] of step) note(name, value)
  }
  const of = (name: string): number => median(samples[name] ?? [])
  const putAllowance = (of('gatewayPut') - of('cipher') - of('md5')) / of('copyPut')
  const getAllowance = (of('gatewayGet') - of('cipher')) / of('copyGet')
  const perGib = 1024 / (BODY_BYTES / MIB)
  return [
    ...Object.keys(samples).map((name) => ({ name: `64 MiB ${name}`, value: of(name) * perGib, unit: 'CPU s/GiB' })),
    { name: '64 MiB PUT: (gateway − cipher − MD5) / copy', value: putAllowance, unit: '×', bound: 1.35 },
    { name: '64 MiB GET: (gateway − cipher) / copy', value: getAllowance, unit: '×', bound: 1.35 },
  ]
}

/** CPU seconds of one body, averaged over a few, of a process that does nothing else. */
async function cpuOf(running: Running, work: (i: number) => Promise<Exchange>): Promise<number> {
  const before = cpuSeconds(running.pid)
  for (let i = 0; i < OBJECTS_EACH; i += 1) check(await work(i))
  return (cpuSeconds(running.pid) - before) / OBJECTS_EACH
}

export function ownCpu(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

function cipherAlone(): void {
  const key = randomBytes(32)
  const chunk = Buffer.alloc(64 * 1024, 1)
  for (let bytes = 0; bytes < BODY_BYTES; bytes += chunk.length) {
    const cipher = createCipheriv('aes-256-gcm', key, randomBytes(12))
    cipher.update(chunk)
    cipher.final()
    cipher.getAuthTag()
  }
}

function md5Alone(): void {
  const hash = createHash('md5')
  const chunk = Buffer.alloc(64 * 1024, 1)
  for (let bytes = 0; bytes < BODY_BYTES; bytes += chunk.length) hash.update(chunk)
  hash.digest()
}

/** What a byte of a large object costs, and whether the first byte waits for the size. */
async function ranges({ gateway, toGateway }: Pair): Promise<Row[]> {
  check(await toGateway.put('/bench/gib', 1024 * MIB))
  check(await toGateway.put('/bench/mib', MIB))
  const read: number[] = []
  for (let i = 0; i < 20; i += 1) {
    const before = bytesRead(gateway.pid)
    check(await toGateway.get('/bench/gib', { range: `bytes=${i * 50_000_000}-${i * 50_000_000}` }), 206)
    read.push(bytesRead(gateway.pid) - before)
  }
  const small: number[] = []
  const large: number[] = []
  for (let i = 0; i < 5; i += 1) {
    small.push((await toGateway.get('/bench/mib')).firstByte)
    large.push((await toGateway.get('/bench/gib')).firstByte)
  }
  return [
    {
      name: '1-byte range of 1 GiB: bytes read, request included',
      value: median(read),
      unit: 'bytes',
      bound: 65_536 + 16 + 4_096,
    },
    { name: 'time to first byte, 1 GiB over 1 MiB', value: median(large) / median(small), unit: '×' },
    { name: 'time to first byte, 1 MiB', value: median(small), unit: 'ms' },
    { name: 'time to first byte, 1 GiB', value: median(large), unit: 'ms' },
  ]
}

/** A page of 1,000 keys out of 1,000 and out of 100,000. */
async function listings({ toGateway }: Pair): Promise<Row[]> {
  for (const [bucket, keys] of [
    ['few', 1_000],
    ['many', 100_000],
  ] as const) {
    check(await toGateway.put(`/${bucket}`, 0))
    for (let at = 0; at < keys; at += 250) {
      const slice = Array.from({ length: 250 }, (_, i) => at + i)
      await Promise.all(
        slice.map(async (n) => check(await toGateway.put(`/${bucket}/key-${String(n).padStart(6, '0')}`, 16))),
      )
    }
  }
  const times = { few: [] as number[], many: [] as number[] }
  for (let round = 0; round < 31; round += 1) {
    for (const bucket of ['few', 'many'] as const) {
      const start = bucket === 'many' ? `&start-after=key-${String((round * 3_000) % 98_000).padStart(6, '0')}` : ''
      times[bucket].push(check(await toGateway.get(`/${bucket}?list-type=2${start}`)).milliseconds)
    }
  }
  return [
    { name: 'LIST 1,000 of 1,000', value: median(times.few), unit: 'ms' },
    { name: 'LIST 1,000 of 100,000', value: median(times.many), unit: 'ms' },
    {
      name: 'LIST 1,000 of 100,000 over 1,000 of 1,000',
      value: median(times.many) / median(times.few),
      unit: '×',
      bound: 1.5,
    },
  ]
}

/** Peak anonymous memory with 64 uploads of 256 MiB at once. */
async function memory({ gateway, toGateway }: Pair): Promise<Row[]> {
  let peak = 0
  const sample = setInterval(() => {
    peak = Math.max(peak, anonymousBytes(gateway.pid))
  }, 50)
  const uploads = Array.from({ length: 64 }, (_, i) => toGateway.put(`/bench/parallel-${i}`, 256 * MIB))
  for (const answer of await Promise.all(uploads)) check(answer)
  clearInterval(sample)
  return [{ name: '64 uploads of 256 MiB at once: peak anonymous memory', value: peak / 1e6, unit: 'MB', bound: 300 }]
}

export function check(answer: Exchange, status = 200): Exchange {
  if (answer.status !== status) throw new Error(`the gateway answered ${answer.status} where ${status} was expected`)
  return answer
}
