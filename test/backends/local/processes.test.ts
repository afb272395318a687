// Several processes on one folder, and processes that die.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { LocalStore } from '../../../src/backends/local.ts'
import type { ListedVersion } from '../../../src/backends/object-store.ts'
import { bodyOf, collect, putOptions } from '../../contract/object-store/bench.ts'
import { audit, CLEAN, eventually, newFolder } from './folder.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** Below the repository, so that it finds its packages. */
const SCRIPT = join(ROOT, '.build', `local-store-child-${process.pid}.mjs`)

const children = new Set<ChildProcess>()

beforeAll(async () => {
  mkdirSync(join(ROOT, '.build'), { recursive: true })
  const entryPoints = [fileURLToPath(new URL('child.ts', import.meta.url))]
  await build({
    entryPoints,
    outfile: SCRIPT,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  })
})

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

afterAll(() => {
  rmSync(SCRIPT, { force: true })
})

interface Running {
  readonly child: ChildProcess
  /** What it has said so far. */
  readonly said: Record<string, unknown>[]
  /** Its end: exit code, or the signal. */
  readonly end: Promise<unknown>
}

function start(folder: string, mode: string, number = 0, shell?: string): Running {
  const args = [SCRIPT, folder, mode, String(number)]
  const child =
    shell === undefined
      ? spawn(process.execPath, args)
      : spawn('sh', ['-c', `${shell}; exec "$0" "$@"`, process.execPath, ...args])
  children.add(child)
  const said: Record<string, unknown>[] = []
  let rest = ''
  let complaints = ''
  child.stdout.on('data', (data: Buffer) => {
    const lines = (rest + data.toString()).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) said.push(JSON.parse(line))
  })
  child.stderr.on('data', (data: Buffer) => {
    complaints += data.toString()
  })
  const end = once(child, 'close').then(([code, signal]) => {
    children.delete(child)
    if (typeof code === 'number' && code > 0) throw new Error(`exit code ${code}: ${complaints}`)
    return code ?? signal
  })
  return { child, said, end }
}

async function prepare(folder: string, content = '0'): Promise<void> {
  const store = await LocalStore.open({ folder })
  await store.createBucket('b')
  await store.put('b', 'counter', bodyOf(content), putOptions())
  await store.put('b', 'shared', bodyOf(Buffer.alloc(10, 0)), putOptions({ metadata: { fill: '0' } }))
  await store.close()
}

describe('several processes on one folder', () => {
  test('of all that race for a name, one wins', async () => {
    const folder = newFolder()
    await prepare(folder)
    const running = [1, 2, 3].map((number) => start(folder, 'race', number))
    await Promise.all(running.map(({ end }) => end))
    const won = running.map(({ said }) => said.find((line) => 'won' in line)?.won as string[])
    expect(won.flat().sort()).toEqual(Array.from({ length: 200 }, (_, i) => `race-${i}`).sort())
    const store = await LocalStore.open({ folder })
    for (const [index, names] of won.entries()) {
      for (const name of names)
        expect((await collect((await store.get('b', name)).body))[0]).toBe(String(index + 1).charCodeAt(0))
    }
    await store.close()
    expect(await audit(folder)).toMatchObject(CLEAN)
  })

  test('compare and swap loses no update', async () => {
    const folder = newFolder()
    await prepare(folder)
    const running = [1, 2, 3].map((number) => start(folder, 'count', number))
    await Promise.all(running.map(({ end }) => end))
    const store = await LocalStore.open({ folder })
    expect(Number((await collect((await store.get('b', 'counter')).body)).toString())).toBe(120)
    await store.close()
    expect(await audit(folder)).toEqual({ ...CLEAN, files: 1 })
  })

  test('readers always get one whole object while another process replaces it', async () => {
    const folder = newFolder()
    await prepare(folder)
    const running = [start(folder, 'replace'), start(folder, 'read', 1), start(folder, 'read', 2)]
    expect(await Promise.all(running.map(({ end }) => end))).toEqual([0, 0, 0])
    for (const { said } of running.slice(1)) expect(said.find((line) => 'whole' in line)?.whole).toBeGreaterThan(20)
    await (await LocalStore.open({ folder })).close()
    expect(await audit(folder)).toMatchObject(CLEAN)
  })
})

describe('a process that dies', () => {
  test('leaves every object it had acknowledged, whole, and nothing else', async () => {
    const folder = newFolder()
    await prepare(folder)
    for (let round = 0; round < 4; round++) {
      const running = [start(folder, 'write', 2 * round), start(folder, 'write', 2 * round + 1)]
      await eventually(() => running.every((one) => one.said.length > 20 + round * 9))
      for (const { child } of running) child.kill('SIGKILL')
      expect(await Promise.all(running.map(({ end }) => end))).toEqual(['SIGKILL', 'SIGKILL'])
      const store = await LocalStore.open({ folder })
      for (const { said } of running) {
        await checkAcknowledged(store, said)
      }
      await checkWhole(store)
      for (const upload of (await store.listUploads('b', { prefix: '', limit: 1000 })).uploads)
        await store.abortUpload({ bucket: 'b', ...upload })
      await store.close()
      expect(await audit(folder)).toMatchObject(CLEAN)
    }
  })

  test('leaves every version it had acknowledged, in order, and none that it had deleted', {
    timeout: 60_000,
  }, async () => {
    const folder = newFolder()
    await prepare(folder)
    const first = await LocalStore.open({ folder })
    await first.createBucket('v')
    await first.updateBucket('v', { versioning: 'Enabled' })
    await first.close()
    const said: Record<string, unknown>[] = []
    for (let round = 0; round < 3; round++) {
      const running = [start(folder, 'versions', 2 * round), start(folder, 'versions', 2 * round + 1)]
      await eventually(() => running.every((one) => one.said.length > 40 + round * 7))
      for (const { child } of running) child.kill('SIGKILL')
      await Promise.all(running.map(({ end }) => end))
      said.push(...running.flatMap((one) => one.said))
      const store = await LocalStore.open({ folder })
      await checkVersions(store, said)
      await store.close()
      expect(await audit(folder)).toMatchObject(CLEAN)
    }
  })

  test('does not hold up the others', async () => {
    const folder = newFolder()
    await prepare(folder)
    const store = await LocalStore.open({ folder })
    const dying = [start(folder, 'write', 1), start(folder, 'write', 2)]
    for (let i = 0; i < 60; i++) {
      if (i === 30) for (const { child } of dying) child.kill('SIGKILL')
      await store.put('b', `own-${i}`, bodyOf(Buffer.alloc(20_000)), putOptions())
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await Promise.all(dying.map(({ end }) => end))
    await store.close()
    await (await LocalStore.open({ folder })).close()
    const { orphans, missing } = await audit(folder)
    expect({ orphans, missing }).toEqual({ orphans: [], missing: [] })
  })

  test.skipIf(process.platform === 'win32')(
    'does not come of a full disk: writes fail, what was written stays',
    async () => {
      const folder = newFolder()
      await prepare(folder)
      const { said, end } = start(folder, 'fill', 0, "trap '' XFSZ; ulimit -f 800")
      expect(await end).toBe(0)
      const result = said.find((line) => 'written' in line)
      expect(result?.written).toBeGreaterThan(5)
      expect(result?.failures).toHaveLength(1)
      expect(result?.failures).toEqual([
        expect.stringMatching(/^Unavailable: the store in .*(no room left|disk is full)/),
      ])
      const store = await LocalStore.open({ folder })
      await store.put('b', 'again', bodyOf('x'), putOptions())
      expect((await store.list('b', { prefix: 'fill', limit: 1000 })).objects).toHaveLength(Number(result?.listed) - 2)
      await store.close()
    },
  )
})

/** What each key had when it was last spoken of; a key with a write under way may have either. */
async function checkAcknowledged(store: LocalStore, said: readonly Record<string, unknown>[]): Promise<void> {
  const last = new Map<unknown, Record<string, unknown>>()
  for (const line of said) last.set(line.begin ?? line.key, line)
  for (const [key, line] of last) {
    if ('begin' in line) continue
    const info = await store.head('b', String(key))
    expect({ key, etag: info?.etag }).toEqual({ key, etag: line.etag })
  }
}

/** Acknowledged versions are there and whole, deleted ones are not; of each key one version is the newest, and reads as such. */
async function checkVersions(store: LocalStore, said: readonly Record<string, unknown>[]): Promise<void> {
  const listed: ListedVersion[] = []
  let after: { afterKey?: string; afterVersionId?: string } = {}
  for (let more = true; more; ) {
    const page = await store.listVersions('v', { prefix: '', limit: 50, ...after })
    listed.push(...page.versions)
    const last = page.versions.at(-1)
    more = page.truncated && last !== undefined
    if (last !== undefined) after = { afterKey: last.key, afterVersionId: last.versionId }
  }
  const ids = listed.map(({ versionId }) => versionId)
  const removing = new Set(said.map(({ removing: id }) => id))
  for (const line of said) {
    if (line.removed !== undefined) expect(ids).not.toContain(line.removed)
    const id = String(line.made ?? line.marker)
    if (id === 'undefined' || removing.has(id)) continue
    expect(ids).toContain(id)
    if (line.made === undefined) continue
    const content = await collect((await store.get('v', String(line.key), { versionId: id })).body)
    expect(content.equals(Buffer.alloc(Number(line.size), Number(line.fill)))).toBe(true)
  }
  for (const key of new Set(listed.map((version) => version.key))) {
    const own = listed.filter((version) => version.key === key)
    expect(own.map(({ latest }) => latest)).toEqual(own.map((_, at) => at === 0))
    expect(own.map(({ versionId }) => versionId)).toEqual(
      own
        .map(({ versionId }) => versionId)
        .sort()
        .reverse(),
    )
    const current = await store.head('v', key).catch(() => undefined)
    expect(current?.versionId).toBe(own[0]?.deleteMarker === true ? undefined : own[0]?.versionId)
  }
}

async function checkWhole(store: LocalStore): Promise<void> {
  const { objects } = await store.list('b', { prefix: '', limit: 1000 })
  for (const { key, size } of objects.filter((object) => /^\d/.test(object.key))) {
    const { info, body } = await store.get('b', key)
    const content = await collect(body)
    expect(content.length).toBe(size)
    expect(content.equals(Buffer.alloc(size, Number(info.metadata.fill)))).toBe(true)
  }
}
