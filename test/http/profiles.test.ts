/** Looking into a process that runs, over the admin API. */
import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PROFILE_ROUTES } from '../../src/admin/profiles.ts'
import { AdminListener, AUTHORIZED } from '../helpers/admin-listener.ts'
import { decodePprof } from '../helpers/decode-pprof.ts'

let admin: AdminListener
beforeEach(async () => {
  admin = await AdminListener.start()
  admin.profiling = true
})
afterEach(() => admin.close())

/** The bytes of an answer. */
async function get(path: string): Promise<{ readonly headers: Headers; readonly bytes: Buffer }> {
  const answer = await fetch(`http://127.0.0.1:${admin.port}/v1/profile/${path}`, { headers: AUTHORIZED })
  const bytes = Buffer.from(await answer.arrayBuffer())
  expect(answer.status, bytes.toString('latin1').slice(0, 200)).toBe(200)
  return { headers: answer.headers, bytes }
}

/** Busy for most of the time, under this name. */
function veryBusyFunction(milliseconds: number): number {
  const end = performance.now() + milliseconds
  let sum = 0
  while (performance.now() < end) sum += Math.sqrt(sum + 1)
  return sum
}

async function busyUntil<T>(work: Promise<T>): Promise<T> {
  const done = new AbortController()
  void work.finally(() => done.abort())
  while (!done.signal.aborted) {
    veryBusyFunction(20)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return work
}

const kept: object[] = []
function veryGreedyFunction(): void {
  for (let i = 0; i < 20_000; i += 1) kept.push({ some: i, more: [i, i, i, i] })
}

describe('a profile', () => {
  test('of the processor names who was busy, and leaves out when nobody was', async () => {
    const { headers, bytes } = await busyUntil(get('cpu?seconds=1'))
    expect(headers.get('content-type')).toBe('application/octet-stream')
    expect(headers.get('content-disposition')).toBe('attachment; filename="sealgate-cpu-1.pb.gz"')
    const { types, of, total } = decodePprof(bytes)
    expect(types).toEqual(['samples/count', 'cpu/nanoseconds'])
    expect(of('veryBusyFunction')).toBeGreaterThan(0.5 * total)
    expect(total).toBeGreaterThan(0.5e9)
    expect(of('(idle)')).toBe(0)
  })

  test('of the wall clock has the time in which nothing ran', async () => {
    const { types, of, total } = decodePprof((await get('wall?seconds=1')).bytes)
    expect(types[1]).toBe('wall/nanoseconds')
    expect(of('(idle)')).toBeGreaterThan(0.3 * total)
    expect(total).toBeGreaterThan(0.9e9)
    expect(total).toBeLessThan(5e9)
  })

  test('of the heap names who has allocated what is kept', async () => {
    const asked = get('heap?seconds=1')
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (let i = 0; i < 10; i += 1) veryGreedyFunction()
    const { types, of } = decodePprof((await asked).bytes)
    expect(types).toEqual(['inuse_space/bytes'])
    expect(of('veryGreedyFunction')).toBeGreaterThan(1_000_000)
    kept.length = 0
  })

  test('of the event loop is a trace with its phases and how late it is', async () => {
    const { headers, bytes } = await busyUntil(get('event-loop?seconds=1'))
    expect(headers.get('content-type')).toBe('application/gzip')
    const { traceEvents } = JSON.parse(gunzipSync(bytes).toString()) as {
      traceEvents: { name: string; ph: string; args: Record<string, number> }[]
    }
    expect(traceEvents.map(({ name }) => name)).toContain('RunTimers')
    const delays = traceEvents.filter(({ name, ph }) => name === 'event loop delay (ms)' && ph === 'C')
    expect(delays.length).toBeGreaterThan(3)
    expect(Math.max(...delays.map(({ args }) => args['max'] ?? 0))).toBeGreaterThan(5)
    expect(JSON.stringify(traceEvents)).not.toContain(process.cwd())
  })

  test('leaves nothing behind: the next one is as good', async () => {
    for (let i = 0; i < 2; i += 1) {
      const { of } = decodePprof((await busyUntil(get('cpu?seconds=1'))).bytes)
      expect(of('veryBusyFunction')).toBeGreaterThan(0)
    }
  })
})

test('a snapshot of the heap is one', async () => {
  const { headers, bytes } = await get('heap-snapshot')
  expect(headers.get('content-disposition')).toContain('sealgate-heap-1.heapsnapshot.gz')
  const { snapshot } = JSON.parse(gunzipSync(bytes).toString()) as { snapshot: { node_count: number } }
  expect(snapshot.node_count).toBeGreaterThan(10_000)
}, 120_000)

describe('nobody looks in', () => {
  test.each(PROFILE_ROUTES.map(({ path }) => path))('by %s without a token, or while it is off', async (path) => {
    expect((await admin.ask('GET', path, { headers: {} })).status).toBe(401)
    admin.profiling = false
    const { status, json } = await admin.ask('GET', path)
    expect([status, json.error.code, json.error.message]).toEqual([
      403,
      'NotConfigured',
      expect.stringContaining('admin.profiling'),
    ])
  })

  test('for longer than a minute', async () => {
    for (const query of ['seconds=61', 'seconds=0', 'seconds=1.5', 'worker=0', 'seconds=x', 'rate=1']) {
      expect((await admin.ask('GET', `/v1/profile/cpu?${query}`)).status, query).toBe(400)
    }
  })

  test('while somebody else does, whatever he looks at', async () => {
    const first = get('cpu?seconds=1')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const second = await admin.ask('GET', '/v1/profile/heap?seconds=1')
    expect([second.status, second.json.error.code]).toEqual([409, 'Conflict'])
    await first
    await get('heap?seconds=1')
  })

  test('for good: whoever leaves makes room for the next one', async () => {
    const path = '/v1/profile/wall?seconds=1'
    const gone = request({ host: '127.0.0.1', port: admin.port, path, headers: AUTHORIZED, agent: false })
    gone.on('error', () => undefined).end()
    await new Promise((resolve) => setTimeout(resolve, 200))
    gone.destroy()
    expect((await admin.ask('GET', path)).status).toBe(409)
    await expect.poll(async () => (await admin.ask('GET', path)).status, { interval: 200 }).toBe(200)
  })

  test('without the audit', async () => {
    await get('cpu?seconds=1')
    admin.profiling = false
    await admin.ask('GET', '/v1/profile/heap-snapshot')
    expect(admin.events).toMatchObject([
      { who: 'token tests', what: 'profileCpu', target: 'cpu of worker 1, 1 s', result: 'done' },
      { who: 'token tests', what: 'snapshotHeap', target: 'heap snapshot of worker 1', result: 'refused' },
    ])
  })
})

test('a gateway that stops does not wait for a profile', async () => {
  const asked = admin.ask('GET', '/v1/profile/cpu?seconds=60')
  await new Promise((resolve) => setTimeout(resolve, 300))
  const begun = performance.now()
  await admin.api.close()
  expect((await asked).status).toBe(503)
  expect(performance.now() - begun).toBeLessThan(5_000)
})
