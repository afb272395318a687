/** What key managers elsewhere cost: requests under open keys, calls for each object, rotation. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { KmsServer } from '../test/helpers/kms-server.ts'
import { VaultServer } from '../test/helpers/vault-server.ts'
import { compare, many, SMALL_LOADS, type Version } from './against.ts'
import { BenchClient } from './client.ts'
import { check, type Row } from './gateway.ts'
import { median, ROOT, startSealgate } from './processes.ts'
import { before, startMinio } from './remote.ts'

/** What a key manager elsewhere may cost while its keys are open. */
const WARM_BOUND = 1.02
const WARM_PAIRS = 9
const WARM_ROUNDS = 3
const AT_ONCE = 16
/** Calls that a replica may need for all objects of one day under one bucket's key. */
const MOST_CALLS = 10

/** Bucket keys in the keyring that is rotated. */
const RECORDS = 1_000
/** Seconds. */
const ROTATION_BOUND = 10
const DEEP_OBJECTS = 10_000
const DEEP_ROUNDS = 3
const DEEP_LEAST = 0.7

/** Runs those parts that are named: keys-warm, keys-calls, keys-rotate, keys-deep. `objects` is how many calls and rotation are counted over. */
export async function benchKeys(parts: readonly string[], objects: number): Promise<Row[]> {
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'bench-keys-'))
  try {
    return [
      ...(parts.includes('keys-warm') ? await warm(folder) : []),
      ...(parts.includes('keys-calls') ? await calls(folder, objects) : []),
      ...(parts.includes('keys-rotate') ? await rotation(folder, objects) : []),
      ...(parts.includes('keys-deep') ? await deep(folder) : []),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * CPU of small requests under open keys: each manager elsewhere against the local one, in turn. The managers are stand-ins in this process.
 * Two processes of the very same code differ by more than the bound, for as long as they live: so there are several pairs.
 */
async function warm(folder: string): Promise<Row[]> {
  const kms = new KmsServer()
  const vault = new VaultServer()
  const elsewheres = { 'aws-kms': await awsKms(kms), 'vault-transit': await vaultTransit(vault, folder) }
  const ratios = new Map<string, number[]>()
  try {
    for (let pair = 0; pair < WARM_PAIRS; pair += 1) {
      for (const [type, manager] of Object.entries(elsewheres)) {
        for (const [name, ratio] of await warmPair(join(folder, `${type}-${pair}`), manager)) {
          const row = `${name}: ${type} over local`
          ratios.set(row, [...(ratios.get(row) ?? []), ratio])
        }
      }
    }
  } finally {
    await Promise.all([kms.stop(), vault.stop()])
  }
  return [...ratios].map(([name, found]) => ({ name, value: median(found), unit: '×', bound: WARM_BOUND }))
}

/** By load: what a gateway before this manager costs over one with a key of its own. */
async function warmPair(folder: string, manager: object): Promise<[string, number][]> {
  const versions = [await startWith(folder, managers({ bench: manager })), await startWith(`${folder}-local`)]
  const [elsewhere, here] = versions as [Version, Version]
  const found: [string, number][] = []
  for (const { client } of versions) check(await client.put('/bench', 0))
  for (const load of SMALL_LOADS) {
    found.push([load.name, (await compare(load, elsewhere, here, WARM_ROUNDS)).ratio])
  }
  await stop(versions)
  return found
}

/** Calls to the key manager for so many objects of one bucket, written and some of them read. */
async function calls(folder: string, objects: number): Promise<Row[]> {
  const kms = new KmsServer()
  const gateway = await startWith(join(folder, 'calls'), managers({ bench: await awsKms(kms) }))
  try {
    check(await gateway.client.put('/bench', 0))
    await many(objects, AT_ONCE, (i) => gateway.client.put(`/bench/object-${i}`, 16))
    await many(Math.ceil(objects / 100), AT_ONCE, (i) => gateway.client.get(`/bench/object-${i * 100}`))
    return [
      {
        name: `${objects} objects of one bucket: calls to the key manager`,
        value: kms.calls.length,
        unit: 'calls',
        bound: MOST_CALLS,
      },
    ]
  } finally {
    await stop([gateway])
    await kms.stop()
  }
}

/** One master key takes the place of another at a gateway that serves: seconds from the command to the last bucket key, and objects that another time or ETag shows. */
async function rotation(folder: string, objects: number): Promise<Row[]> {
  const [old, next] = [new KmsServer(), new KmsServer()]
  const env = managers({ bench: await awsKms(old), next: await awsKms(next) })
  const data = join(folder, 'rotation')
  const gateway = await startWith(data, env)
  const { client } = gateway
  const each = Math.ceil(objects / RECORDS)
  try {
    await many(RECORDS, AT_ONCE, (i) => client.put(`/bucket-${i}`, 0))
    await many(RECORDS * each, AT_ONCE, (i) =>
      client.put(`/bucket-${i % RECORDS}/object-${Math.floor(i / RECORDS)}`, 16),
    )
    const shown = await listed(client)
    const started = performance.now()
    const lines = await sealgate(['keys', 'rotate', '--to', 'next', '--json'], { ...env, SEALGATE_DATA: data })
    const seconds = (performance.now() - started) / 1_000
    const after = await listed(client)
    const touched = shown.filter((entry, at) => entry !== after[at]).length
    const rewrapped = Number(/"rewrapped":(\d+)/.exec(lines.at(-1)?.text ?? '')?.[1])
    return [
      { name: 'rotation: bucket keys wrapped anew', value: rewrapped, unit: 'keys', least: RECORDS },
      { name: `rotation beside ${shown.length} objects`, value: seconds, unit: 's', bound: ROTATION_BOUND },
      { name: 'rotation: objects touched', value: touched, unit: 'objects', bound: 0 },
    ]
  } finally {
    await stop([gateway])
    await Promise.all([old.stop(), next.stop()])
  }
}

/** Each object as a listing shows it. */
async function listed(client: BenchClient): Promise<string[]> {
  const entries: string[] = []
  for (let bucket = 0; bucket < RECORDS; bucket += 1) {
    for (let after = ''; ; ) {
      const query = after === '' ? '' : `&start-after=${after}`
      const text = await client.text(`/bucket-${bucket}?list-type=2${query}`)
      entries.push(...[...text.matchAll(/<Contents>.*?<\/Contents>/gs)].map(([one]) => `${bucket} ${one}`))
      if (!text.includes('<IsTruncated>true')) break
      after = /<Key>([^<]+)<\/Key>/.exec(entries.at(-1) ?? '')?.[1] ?? ''
    }
  }
  return entries
}

/** Deep re-wrap of objects in MinIO against what the bare store does of HEAD and CopyObject, in objects a second. */
async function deep(folder: string): Promise<Row[]> {
  const store = await startMinio(folder)
  const [old, next] = [new KmsServer(), new KmsServer()]
  const data = join(folder, 'deep')
  const env = {
    ...managers({ bench: await awsKms(old), next: await awsKms(next) }),
    ...before(store.endpoint),
    SEALGATE_BACKEND_PROFILE: 'minio',
  }
  const gateway = await startWith(data, env)
  try {
    for (const [client, bucket] of [
      [gateway.client, '/sealed'],
      [store.client, '/bare'],
    ] as const) {
      check(await client.put(bucket, 0))
      await many(DEEP_OBJECTS, AT_ONCE, (i) => client.put(`${bucket}/object-${i}`, 4_096))
    }
    const ratios: number[] = []
    for (let round = 0; round < DEEP_ROUNDS; round += 1) {
      const started = performance.now()
      await many(DEEP_OBJECTS, AT_ONCE, async (i) => {
        check(await store.client.head(`/bare/object-${i}`))
        return store.client.copyOntoItself(`/bare/object-${i}`)
      })
      const bare = performance.now() - started
      const to = round % 2 === 0 ? 'next' : 'bench'
      const lines = await sealgate(
        [
          'keys',
          'rewrap',
          '--deep',
          '--to',
          to,
          '--bucket',
          'sealed',
          '--offline',
          '--concurrency',
          String(AT_ONCE),
          '--json',
        ],
        { ...env, SEALGATE_DATA: data },
      )
      const at = (event: string): number =>
        lines.find(({ text }) => text.includes(`"event":"${event}"`))?.at ?? Number.NaN
      if (!(lines.at(-1)?.text ?? '').includes(`"done":${DEEP_OBJECTS}`))
        throw new Error(`not all: ${lines.at(-1)?.text}`)
      ratios.push(bare / (at('end') - at('begin')))
    }
    return [
      {
        name: 'deep re-wrap over HEAD + CopyObject of bare MinIO',
        value: median(ratios),
        unit: '×',
        least: DEEP_LEAST,
      },
    ]
  } finally {
    await stop([gateway, store])
    await Promise.all([old.stop(), next.stop()])
  }
}

interface Line {
  readonly text: string
  /** Milliseconds, as `performance.now()` counts. */
  readonly at: number
}

/** A command of the program, and what it said when. Throws if it fails. */
function sealgate(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Line[]> {
  const child = spawn(process.execPath, ['--single-threaded-gc', join(ROOT, 'bin', 'sealgate.mjs'), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: Line[] = []
  createInterface({ input: child.stdout }).on('line', (text) => lines.push({ text, at: performance.now() }))
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve(lines)
      else reject(new Error(`sealgate ${args.join(' ')} ended with ${code}: ${lines.at(-1)?.text}`))
    })
  })
}

async function awsKms(kms: KmsServer): Promise<object> {
  const endpoint = await kms.start()
  kms.createKey('alias/bench')
  return {
    type: 'aws-kms',
    keyId: 'alias/bench',
    region: 'eu-central-1',
    endpoint,
    accessKeyId: 'bench',
    secretAccessKey: 'bench-secret',
  }
}

async function vaultTransit(vault: VaultServer, folder: string): Promise<object> {
  const address = await vault.start()
  vault.createKey('bench')
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, vault.createToken({ lease: 0 }))
  return { type: 'vault-transit', address, keyName: 'bench', login: { method: 'token', tokenFile } }
}

/** Settings with these key managers, of which `bench` wraps new keys. */
const managers = (byAlias: Readonly<Record<string, object>>): Record<string, string> => ({
  SEALGATE_KEYS_ACTIVE: 'bench',
  SEALGATE_KEYS_MANAGERS: JSON.stringify(byAlias),
})

async function startWith(data: string, env: Readonly<Record<string, string>> = {}): Promise<Version> {
  const { running, endpoint, credentials } = await startSealgate(data, { env })
  return { running, client: new BenchClient(endpoint, credentials) }
}

async function stop(servers: readonly Version[]): Promise<void> {
  for (const { client, running } of servers) {
    client.close()
    await running.stop()
  }
}
