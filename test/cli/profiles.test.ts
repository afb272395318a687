/** Looking into the processes of a gateway as it is started, in one process and in several. */
import { writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { childrenOf } from '../helpers/children.ts'
import { freePort, type Started, Workplace } from '../helpers/command.ts'
import { decodePprof } from '../helpers/decode-pprof.ts'

const TOKEN = 'token-of-this-test-0123456789abcdefghijkl'

describe.each([1, 2])('with %i processes', (workers) => {
  const place = new Workplace({ SEALGATE_SERVER_WORKERS: String(workers) })
  let gateway: Started
  let admin: string

  const ask = (path: string, signal?: AbortSignal): Promise<Response> =>
    fetch(`${admin}/v1/profile/${path}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(signal === undefined ? {} : { signal }),
    })
  /** When the whole answer is there: until then nobody else is let in. */
  const statusOf = async (path: string): Promise<number> => {
    const answer = await ask(path)
    await answer.arrayBuffer()
    return answer.status
  }
  const bytesOf = async (answer: Response): Promise<Buffer> => {
    expect(answer.status).toBe(200)
    return Buffer.from(await answer.arrayBuffer())
  }
  const settings = (profiling: boolean): string =>
    `admin: { listen: "${admin.slice('http://'.length)}", token: ${TOKEN}, profiling: ${profiling} }`

  beforeAll(async () => {
    admin = `http://127.0.0.1:${await freePort()}`
    writeFileSync(place.path('sealgate.yaml'), settings(true))
    gateway = await place.serve({
      SEALGATE_ADMIN_LISTEN: admin.slice('http://'.length),
      SEALGATE_BACKEND_TYPE: 'local',
    })
  }, 60_000)
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    place.remove()
  }, 60_000)

  test('each of them shows what it does', async () => {
    for (let worker = 1; worker <= workers; worker += 1) {
      const asked = ask(`cpu?seconds=2&worker=${worker}`)
      const end = performance.now() + 1_500
      while (performance.now() < end) await fetch(`${gateway.endpoint}/one/key`, { headers: { connection: 'close' } })
      // The pipeline that every request goes through.
      expect(decodePprof(await bytesOf(await asked)).of('serve')).toBeGreaterThan(0)
    }
  }, 60_000)

  test('each of them is another', async () => {
    const found = new Set<number>()
    for (let worker = 1; worker <= workers; worker += 1) {
      const text = gunzipSync(await bytesOf(await ask(`event-loop?seconds=1&worker=${worker}`))).toString()
      const { traceEvents } = JSON.parse(text) as { traceEvents: { pid: number }[] }
      for (const { pid } of traceEvents) found.add(pid)
    }
    const own = gateway.process.pid ?? 0
    expect(found).toEqual(new Set(workers === 1 ? [own] : childrenOf(own)))
  }, 60_000)

  test('there are no more of them', async () => {
    expect(await statusOf(`wall?seconds=1&worker=${workers + 1}`)).toBe(404)
  })

  test('a snapshot of the heap comes whole', async () => {
    const text = gunzipSync(await bytesOf(await ask(`heap-snapshot?worker=${workers}`))).toString()
    const { snapshot, strings } = JSON.parse(text) as { snapshot: { node_count: number }; strings: string[] }
    expect(snapshot.node_count).toBeGreaterThan(10_000)
    expect(strings.some((one) => one.includes('sealgate'))).toBe(true)
  }, 120_000)

  test('who leaves in the middle of one takes nothing with him', async () => {
    const leaving = new AbortController()
    const answer = await ask('heap-snapshot', leaving.signal)
    await answer.body?.getReader().read()
    leaving.abort()
    await expect.poll(() => statusOf('heap?seconds=1'), { interval: 500, timeout: 20_000 }).toBe(200)
  }, 120_000)

  test.runIf(workers > 1)(
    'one that ends cuts its answer off, and the gateway goes on',
    async () => {
      const asked = ask('wall?seconds=30')
      await new Promise((resolve) => setTimeout(resolve, 500))
      // Which of them it is nobody says.
      for (const child of childrenOf(gateway.process.pid ?? 0)) process.kill(child, 'SIGKILL')
      expect((await asked).status).toBe(503)
      await expect.poll(() => statusOf('wall?seconds=1'), { interval: 500, timeout: 20_000 }).toBe(200)
    },
    60_000,
  )

  test('a reload switches it off', async () => {
    writeFileSync(place.path('sealgate.yaml'), settings(false))
    gateway.process.kill('SIGHUP')
    await expect.poll(() => statusOf('wall?seconds=1'), { interval: 300, timeout: 20_000 }).toBe(403)
  }, 60_000)
})
