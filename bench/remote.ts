/** The gateway before a real store (MinIO), against the bare store and against plain Node proxies, in one run. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { availableParallelism, homedir } from 'node:os'
import { join } from 'node:path'
import { createCipheriv, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { BenchClient, type Exchange } from './client.ts'
import { check, ownCpu, type Row } from './gateway.ts'
import { anonymousBytes, bundle, cpuSeconds, median, ROOT, type Running, start, startSealgate } from './processes.ts'

const MIB = 1024 * 1024
const LARGE_BYTES = 64 * MIB
const LARGE_ROUNDS = 7
const SMALL_BYTES = 4_096
const SMALL_COUNT = 1_500
const SMALL_PARALLEL = 16
const SMALL_ROUNDS = 5
const ACCESS = { accessKey: 'benchaccess', secret: 'benchsecret123' }

interface Server {
  readonly running: Running
  readonly client: BenchClient
}

interface Field {
  readonly store: Server
  readonly gateway: Server
  /** One process for each core, as the store uses them. */
  readonly workers: Server
  readonly copy: Server
  readonly seal: Server
}

const cache =
  process.env.CERTIFY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sealgate-certify')

/** Throws where `startMinio` does. */
export async function benchRemote(parts: readonly string[]): Promise<Row[]> {
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'bench-remote-'))
  const field = await startField(folder)
  const rows: Row[] = []
  try {
    for (const { client } of [field.store, field.gateway]) check(await client.put('/bench', 0))
    check(await field.store.client.put('/floor', 0))
    check(await field.workers.client.put('/bench-workers', 0))
    if (parts.includes('remote-large')) rows.push(...(await large(field)))
    if (parts.includes('remote-small')) rows.push(...(await small(field)))
    if (parts.includes('remote-range')) rows.push(...(await ranges(field)))
    if (parts.includes('remote-list')) rows.push(...(await listings(field)))
    if (parts.includes('remote-memory')) rows.push(...(await memory(folder)))
    return rows
  } finally {
    for (const { client, running } of [field.gateway, field.workers, field.copy, field.seal, field.store]) {
      client.close()
      await running.stop()
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A bare store. Throws if MinIO is not there: `npm run certify -- --store minio` installs it. */
export async function startMinio(folder: string): Promise<Server & { readonly endpoint: string }> {
  const minio = process.env.MINIO ?? join(cache, 'bin', 'minio')
  if (!existsSync(minio)) throw new Error(`no MinIO at ${minio}; npm run certify -- --store minio installs it`)
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const running = await start(
    [minio, 'server', join(folder, 'minio'), '--address', `127.0.0.1:${port}`],
    { MINIO_ROOT_USER: ACCESS.accessKey, MINIO_ROOT_PASSWORD: ACCESS.secret, MINIO_BROWSER: 'off' },
    /API: (http\S+)/,
  )
  return { running, endpoint, client: new BenchClient(endpoint, ACCESS) }
}

async function startField(folder: string): Promise<Field> {
  const { endpoint, ...store } = await startMinio(folder)
  const proxy = await bundle('bench/proxy.ts')
  const proxied = async (mode: string): Promise<Server> => {
    const server = await start(
      [process.execPath, '--single-threaded-gc', proxy, endpoint, ACCESS.accessKey, ACCESS.secret, mode],
      {},
      /listening (\d+)/,
    )
    return { running: server, client: new BenchClient(`http://127.0.0.1:${server.match[1]}`) }
  }
  return {
    store,
    gateway: await startGateway(folder, endpoint, 'minio'),
    workers: await startGateway(folder, endpoint, 'minio', availableParallelism()),
    copy: await proxied('copy'),
    seal: await proxied('seal'),
  }
}

/** The settings of a gateway before a bare store. */
export const before = (endpoint: string): Record<string, string> => ({
  SEALGATE_BACKEND_TYPE: 's3',
  SEALGATE_BACKEND_ENDPOINT: endpoint,
  SEALGATE_BACKEND_ACCESS_KEY_ID: ACCESS.accessKey,
  SEALGATE_BACKEND_SECRET_ACCESS_KEY: ACCESS.secret,
})

async function startGateway(folder: string, endpoint: string, profile: string, workers = 1): Promise<Server> {
  const data = mkdtempSync(join(folder, 'data-'))
  const env = { ...before(endpoint), SEALGATE_SERVER_WORKERS: String(workers), SEALGATE_BACKEND_PROFILE: profile }
  const { running, endpoint: address, credentials } = await startSealgate(data, { env })
  return { running, client: new BenchClient(address, credentials) }
}

/** CPU of the process for 64 MiB bodies: the gateway, the copying proxy and the plainly sealing proxy in turn; cipher and CRC32 alone beside them. */
async function large({ gateway, copy, seal }: Field): Promise<Row[]> {
  const samples = new Map<string, number[]>()
  for (let round = 0; round <= LARGE_ROUNDS; round += 1) {
    const steps: [string, number][] = []
    for (const [name, server, bucket] of [
      ['gateway', gateway, 'bench'],
      ['copying proxy', copy, 'floor'],
      ['sealing proxy', seal, 'floor'],
    ] as const) {
      const path = `/${bucket}/${name.replaceAll(' ', '-')}`
      steps.push([`${name} PUT`, await cpuOf(server, () => server.client.put(path, LARGE_BYTES))])
      steps.push([`${name} GET`, await cpuOf(server, () => server.client.get(path))])
    }
    steps.push(['cipher', ownCpu(cipherAlone)], ['CRC32', ownCpu(crcAlone)])
    // The first round warms up.
    if (round > 0) for (const [name, value] of steps) samples.set(name, [...(samples.get(name) ?? []), value])
  }
  const of = (name: string): number => median(samples.get(name) ?? [])
  const perGib = 1024 / (LARGE_BYTES / MIB)
  const put = of('gateway PUT') / (of('copying proxy PUT') + of('cipher') + of('CRC32'))
  const get = of('gateway GET') / (of('copying proxy GET') + of('cipher'))
  return [
    ...[...samples.keys()].map((name) => ({
      name: `64 MiB over MinIO, ${name}`,
      value: of(name) * perGib,
      unit: 'CPU s/GiB',
    })),
    { name: '64 MiB PUT: gateway / (copying proxy + cipher + CRC32)', value: put, unit: '×', bound: 1.25 },
    { name: '64 MiB GET: gateway / (copying proxy + cipher)', value: get, unit: '×', bound: 1.25 },
    { name: '64 MiB PUT: gateway / sealing proxy', value: of('gateway PUT') / of('sealing proxy PUT'), unit: '×' },
    { name: '64 MiB GET: gateway / sealing proxy', value: of('gateway GET') / of('sealing proxy GET'), unit: '×' },
  ]
}

/** Rates of 4 KiB objects, bare and through the gateway, in turn. */
async function small({ store, gateway, workers }: Field): Promise<Row[]> {
  const rates = new Map<string, number[]>()
  const run = async (name: string, work: (n: number) => Promise<Exchange>): Promise<void> => {
    const started = performance.now()
    let next = 0
    await Promise.all(
      Array.from({ length: SMALL_PARALLEL }, async () => {
        for (let n = next++; n < SMALL_COUNT; n = next++) check(await work(n))
      }),
    )
    const rate = SMALL_COUNT / ((performance.now() - started) / 1_000)
    rates.set(name, [...(rates.get(name) ?? []), rate])
  }
  for (let round = 0; round <= SMALL_ROUNDS; round += 1) {
    if (round === 1) rates.clear()
    for (const [name, { client }, bucket] of [
      ['store', store, 'floor'],
      ['gateway', gateway, 'bench'],
      ['workers', workers, 'bench-workers'],
    ] as const) {
      await run(`${name} PUT`, (n) => client.put(`/${bucket}/small-${n}`, SMALL_BYTES))
      await run(`${name} GET`, (n) => client.get(`/${bucket}/small-${n}`))
    }
  }
  const of = (name: string): number => median(rates.get(name) ?? [])
  return [
    ...[...rates.keys()].map((name) => ({ name: `4 KiB, ${name}`, value: of(name), unit: '/s' })),
    { name: '4 KiB PUT: one process over bare store', value: of('gateway PUT') / of('store PUT'), unit: '×' },
    { name: '4 KiB GET: one process over bare store', value: of('gateway GET') / of('store GET'), unit: '×' },
    {
      name: '4 KiB PUT: a worker a core over bare store',
      value: of('workers PUT') / of('store PUT'),
      unit: '×',
      least: 0.6,
    },
    {
      name: '4 KiB GET: a worker a core over bare store',
      value: of('workers GET') / of('store GET'),
      unit: '×',
      least: 0.6,
    },
  ]
}

const TIMES = 101

/** Median milliseconds of a request to each of two servers, in turn. */
async function inTurn(
  bare: () => Promise<Exchange>,
  through: () => Promise<Exchange>,
  status: number,
): Promise<{ bare: number; through: number }> {
  const times = { bare: [] as number[], through: [] as number[] }
  for (let i = 0; i < TIMES; i += 1) {
    times.bare.push(check(await bare(), status).milliseconds)
    times.through.push(check(await through(), status).milliseconds)
  }
  return { bare: median(times.bare), through: median(times.through) }
}

async function ranges({ store, gateway }: Field): Promise<Row[]> {
  check(await store.client.put('/floor/large', LARGE_BYTES))
  check(await gateway.client.put('/bench/large', LARGE_BYTES))
  let at = 0
  const range = () => ({ range: `bytes=${(at = (at + 7_654_321) % LARGE_BYTES)}-${at}` })
  const { bare, through } = await inTurn(
    () => store.client.get('/floor/large', range()),
    () => gateway.client.get('/bench/large', range()),
    206,
  )
  return [
    { name: '1 byte of 64 MiB, bare store', value: bare, unit: 'ms' },
    { name: '1 byte of 64 MiB, gateway', value: through, unit: 'ms' },
    { name: '1 byte of 64 MiB: gateway over bare store', value: through / bare, unit: '×', bound: 2 },
  ]
}

async function listings({ store, gateway }: Field): Promise<Row[]> {
  const fill = async (client: BenchClient, bucket: string): Promise<void> => {
    check(await client.put(`/${bucket}`, 0))
    for (let at = 0; at < 1_000; at += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => client.put(`/${bucket}/list/key-${at + i}`, 16)))
    }
  }
  await fill(store.client, 'floor-list')
  await fill(gateway.client, 'bench-list')
  const { bare, through } = await inTurn(
    () => store.client.get('/floor-list?list-type=2'),
    () => gateway.client.get('/bench-list?list-type=2'),
    200,
  )
  return [
    { name: 'LIST 1,000, bare store', value: bare, unit: 'ms' },
    { name: 'LIST 1,000, gateway', value: through, unit: 'ms' },
    { name: 'LIST 1,000: gateway over bare store', value: through / bare, unit: '×', bound: 1.3 },
  ]
}

/** Peak anonymous memory with 200 uploads at once into a store that throws everything away. */
async function memory(folder: string): Promise<Row[]> {
  const sink = await start([process.execPath, await bundle('bench/sink-store.ts')], {}, /listening (\d+)/)
  const gateway = await startGateway(folder, `http://127.0.0.1:${sink.match[1]}`, 'minio')
  let peak = 0
  const sample = setInterval(() => {
    peak = Math.max(peak, anonymousBytes(gateway.running.pid))
  }, 50)
  try {
    const uploads = Array.from({ length: 200 }, (_, i) => gateway.client.put(`/bench/parallel-${i}`, LARGE_BYTES))
    for (const answer of await Promise.all(uploads)) check(answer)
  } finally {
    clearInterval(sample)
    gateway.client.close()
    await gateway.running.stop()
    await sink.stop()
  }
  return [{ name: '200 uploads of 64 MiB at once: peak anonymous memory', value: peak / 1e6, unit: 'MB', bound: 400 }]
}

async function cpuOf({ running }: Server, work: () => Promise<Exchange>): Promise<number> {
  const before = cpuSeconds(running.pid)
  for (let i = 0; i < 3; i += 1) check(await work())
  return (cpuSeconds(running.pid) - before) / 3
}

function cipherAlone(): void {
  const key = randomBytes(32)
  const chunk = Buffer.alloc(64 * 1024, 1)
  for (let bytes = 0; bytes < LARGE_BYTES; bytes += chunk.length) {
    const cipher = createCipheriv('aes-256-gcm', key, randomBytes(12))
    cipher.update(chunk)
    cipher.final()
    cipher.getAuthTag()
  }
}

function crcAlone(): void {
  const chunk = Buffer.alloc(64 * 1024, 1)
  let value = 0
  for (let bytes = 0; bytes < LARGE_BYTES; bytes += chunk.length) value = crc32(chunk, value)
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
