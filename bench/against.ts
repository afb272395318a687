/** Two versions of the gateway in one run: what a change costs. Each serves from its own data folder, in turn. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { BenchClient, type Exchange } from './client.ts'
import { check, type Row } from './gateway.ts'
import { cpuSeconds, median, ROOT, type Running, startSealgate } from './processes.ts'

const MIB = 1024 * 1024
/** Each is some seconds of CPU, which the kernel counts in hundredths. */
const ROUNDS = 11
const KEYS = 1_000
/** Requests under way at once, where they are small. */
const AT_ONCE = 16
/** What all that S3 has may cost those who do not use it. */
const BOUND = 1.03

/** A gateway under measurement. */
export interface Version {
  readonly running: Running
  readonly client: BenchClient
}

export interface Load {
  readonly name: string
  readonly requests: number
  readonly send: (client: BenchClient, i: number) => Promise<Exchange>
  readonly atOnce: number
}

/** 4 KiB objects in the bucket `bench`. */
export const SMALL_LOADS: readonly Load[] = [
  {
    name: '4 KiB PUT',
    requests: 3_000,
    send: (client, i) => client.put(`/bench/small-${i % 1_000}`, 4_096),
    atOnce: AT_ONCE,
  },
  { name: '4 KiB GET', requests: 4_000, send: (client, i) => client.get(`/bench/small-${i % 1_000}`), atOnce: AT_ONCE },
]

const LOADS: readonly Load[] = [
  ...SMALL_LOADS,
  { name: 'LIST of 1,000 keys', requests: 100, send: (client) => client.get('/keys?list-type=2'), atOnce: 1 },
  { name: '64 MiB PUT', requests: 8, send: (client, i) => client.put(`/bench/large-${i % 4}`, 64 * MIB), atOnce: 1 },
  { name: '64 MiB GET', requests: 20, send: (client, i) => client.get(`/bench/large-${i % 4}`), atOnce: 1 },
]

/** CPU of this checkout's gateway over that of another one, which has its packages installed, over the embedded store. */
export async function benchAgainst(checkout: string): Promise<Row[]> {
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'bench-'))
  const versions: Version[] = []
  try {
    const now = await startVersion(ROOT, join(folder, 'now'))
    versions.push(now)
    const before = await startVersion(resolve(checkout), join(folder, 'before'))
    versions.push(before)
    for (const { client } of versions) await fill(client)
    const rows: Row[] = []
    for (const load of LOADS) {
      const { cpu, ratio } = await compare(load, now, before)
      rows.push(
        { name: `${load.name}: CPU of a request`, value: cpu * 1e6, unit: 'µs' },
        { name: `${load.name}: now over before`, value: ratio, unit: '×', bound: BOUND },
      )
    }
    return rows
  } finally {
    for (const { client } of versions) client.close()
    await Promise.all(versions.map(({ running }) => running.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

async function startVersion(checkout: string, data: string): Promise<Version> {
  const { running, endpoint, credentials } = await startSealgate(data, { checkout })
  return { running, client: new BenchClient(endpoint, credentials) }
}

async function fill(client: BenchClient): Promise<void> {
  for (const bucket of ['/bench', '/keys']) check(await client.put(bucket, 0))
  const put = (i: number): Promise<Exchange> => client.put(`/keys/key-${String(i).padStart(6, '0')}`, 16)
  await many(KEYS, AT_ONCE, put)
}

/** CPU seconds of a request of `now`, and over one of `before`: rounds of both in turn, the one that begins exchanged each time; the first two warm up. */
export async function compare(
  { requests, send, atOnce }: Load,
  now: Version,
  before: Version,
  rounds = ROUNDS,
): Promise<{ readonly cpu: number; readonly ratio: number }> {
  const cpu = { now: [] as number[], before: [] as number[] }
  for (let round = -2; round < rounds; round += 1) {
    const turn = [
      ['now', now],
      ['before', before],
    ] as const
    for (const [which, { running, client }] of round % 2 === 0 ? turn : turn.toReversed()) {
      const from = cpuSeconds(running.pid)
      await many(requests, atOnce, (i) => send(client, i))
      if (round >= 0) cpu[which].push((cpuSeconds(running.pid) - from) / requests)
    }
  }
  const ratios = cpu.now.map((value, round) => value / (cpu.before[round] ?? Number.NaN))
  return { cpu: median(cpu.now), ratio: median(ratios) }
}

/** Sends so many requests, some at once. */
export async function many(requests: number, atOnce: number, send: (i: number) => Promise<Exchange>): Promise<void> {
  let next = 0
  const one = async (): Promise<void> => {
    while (next < requests) {
      const i = next
      next += 1
      check(await send(i))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
}
