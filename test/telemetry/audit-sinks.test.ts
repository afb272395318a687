/** Sinks of the audit log, against receivers that check what comes over the wire. */
import { createSocket } from 'node:dgram'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeAuditLog } from '../../src/telemetry/audit-log.ts'
import { hashOf } from '../../src/telemetry/audit-log/chain-file.ts'
import type { Sink } from '../../src/telemetry/audit-log/sink-feed.ts'
import { elasticsearchSink } from '../../src/telemetry/audit-log/sinks/elasticsearch.ts'
import { lokiSink } from '../../src/telemetry/audit-log/sinks/loki.ts'
import { syslogSink } from '../../src/telemetry/audit-log/sinks/syslog.ts'
import {
  type AlarmEvent,
  alarm,
  linesLost,
  type LostLinesEvent,
  passage,
  requestDone,
} from '../../src/telemetry/channels.ts'
import { AuditFolder } from '../helpers/audit-chain.ts'
import { pem } from '../helpers/pem.ts'
import { AT, requestEvent } from '../helpers/request-event.ts'

let folder: AuditFolder
const closing: (() => unknown)[] = []
const lost: LostLinesEvent[] = []
const alarms: AlarmEvent[] = []
beforeEach(() => {
  folder = new AuditFolder()
  lost.length = 0
  alarms.length = 0
  closing.push(
    linesLost.subscribe((event) => void lost.push(event)),
    alarm.subscribe((event) => void alarms.push(event)),
  )
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  folder.remove()
})

interface Begun {
  readonly policy?: 'block' | 'drop'
  readonly buffer?: number
}

async function begin(sink: Sink, { policy = 'drop', buffer = 1024 * 1024 }: Begun = {}): Promise<() => Promise<void>> {
  const stop = await writeAuditLog({
    folder: folder.path,
    chain: 'host-0',
    policy,
    reads: true,
    rotateAt: 64 * 1024,
    sinks: [sink],
    buffer,
    clock: () => AT,
  })
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => (ended ??= stop())
  closing.push(end)
  return end
}

const ask = (key: string): void => requestDone.publish(requestEvent({ key }))
const written = (): string[] => folder.files().flatMap((_, at) => folder.texts(at))

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.on('secureConnection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** RFC 5424 with no structured data. */
const MESSAGE =
  /^<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) - (.*)$/s

describe('syslog', () => {
  const options = {
    name: 'syslog-1',
    host: '127.0.0.1',
    appName: 'sealgate',
    hostName: 'gw-1',
    processId: 7,
    timeout: 2_000,
  }

  test('over UDP is a datagram for each line', async () => {
    const got: string[] = []
    const socket = createSocket('udp4').on('message', (message) => void got.push(message.toString()))
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    closing.push(() => socket.close())
    const end = await begin(syslogSink({ ...options, protocol: 'udp', port: socket.address().port }))
    ask('a')
    requestDone.publish(requestEvent({ key: 'b', status: 403, code: 'AccessDenied' }))
    await end()
    await expect.poll(() => got.length).toBe(4)
    const parsed = got.map((message) => MESSAGE.exec(message)!)
    expect(parsed.map(([, , , ...rest]) => rest.slice(0, 4))).toEqual(
      ['begin', 'request', 'request', 'end'].map((kind) => ['gw-1', 'sealgate', '7', kind]),
    )
    // Facility 13 (log audit), informational; what was refused is a warning.
    expect(parsed.map(([, priority]) => Number(priority))).toEqual([110, 110, 108, 110])
    expect(parsed.map((parts) => parts[7])).toEqual(written())
  })

  /** Takes frames apart by their octet counts. */
  function framesOf(server: Server): { readonly messages: string[]; readonly connections: () => number } {
    const messages: string[] = []
    let connections = 0
    const take = (socket: Socket): void => {
      connections += 1
      let rest = ''
      socket
        .on('error', () => undefined)
        .on('data', (piece: Buffer) => {
          rest += piece.toString('latin1')
          for (;;) {
            const [head = '', count] = /^([1-9]\d*) /.exec(rest) ?? []
            if (count === undefined || rest.length < head.length + Number(count)) break
            messages.push(rest.slice(head.length, head.length + Number(count)))
            rest = rest.slice(head.length + Number(count))
          }
        })
    }
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', take)
    return { messages, connections: () => connections }
  }

  test('over TCP counts octets, keeps its connection, and makes a new one when that is gone', async () => {
    const server = createTcpServer()
    const { messages, connections } = framesOf(server)
    const port = await listen(server)
    const end = await begin(syslogSink({ ...options, protocol: 'tcp', port }))
    ask('a')
    await expect.poll(() => messages.length).toBe(2)
    ask('b')
    await expect.poll(() => messages.length).toBe(3)
    expect(connections()).toBe(1)
    await end()
    await expect.poll(() => messages.length).toBe(4)
    expect(messages.map((message) => MESSAGE.exec(message)?.[7])).toEqual(written())
  })

  test('over TLS checks the certificate', async () => {
    const server = createTlsServer({ cert: pem('cert'), key: pem('key') })
    const { messages } = framesOf(server)
    const port = await listen(server)
    const sink = syslogSink({ ...options, host: 'localhost', protocol: 'tls', port })
    await expect(sink.deliver(['{}'])).rejects.toThrow('the receiver of syslog does not take lines')
    await sink.close()
    const end = await begin(syslogSink({ ...options, host: 'localhost', protocol: 'tls', port, ca: pem('cert') }))
    ask('a')
    await end()
    await expect.poll(() => messages.length).toBe(3)
    expect(messages.map((message) => MESSAGE.exec(message)?.[7])).toEqual(written())
  })

  test('that is away and comes back gets every line, in order', async () => {
    const port = await freedPort()
    const end = await begin(syslogSink({ ...options, protocol: 'tcp', port }))
    ask('a')
    await expect.poll(() => alarms.length, { timeout: 5_000 }).toBe(1)
    expect(alarms[0]).toMatchObject({
      what: 'a sink of the audit log does not take lines',
      detail: { sink: 'syslog-1' },
    })
    ask('b')
    const server = createTcpServer()
    const { messages } = framesOf(server)
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    closing.push(() => server.close())
    await expect.poll(() => messages.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3)
    await end()
    await expect.poll(() => messages.length).toBe(4)
    expect(messages.map((message) => MESSAGE.exec(message)?.[7])).toEqual(written())
    expect(lost).toEqual([])
  }, 20_000)
})

async function freedPort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Posted {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server that answers each POST as it is told. */
async function httpServer(answer: (posted: Posted, turn: number) => { status: number; body?: string }) {
  const posts: Posted[] = []
  const server = createHttpServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    request.on('end', () => {
      const posted = { path: `${request.method} ${request.url}`, headers: request.headers, body }
      posts.push(posted)
      const { status, body: text = '' } = answer(posted, posts.length)
      response.writeHead(status).end(text)
    })
  })
  return { posts, url: `http://127.0.0.1:${await listen(server)}` }
}

describe('Loki', () => {
  const labels = { job: 'sealgate-audit', chain: 'host-0' }
  const linesOf = ({ body }: Posted): string[] =>
    (JSON.parse(body) as { streams: { values: [string, string][] }[] }).streams[0]!.values.map(([, line]) => line)

  test('gets a stream of lines with their times in nanoseconds, and the tenant and login that are set', async () => {
    const { posts, url } = await httpServer(() => ({ status: 204 }))
    const end = await begin(
      lokiSink({ name: 'loki-1', url, timeout: 2_000, labels, tenant: 'team', username: 'u', password: 'p' }),
    )
    ask('a')
    await end()
    const [first] = posts
    expect(first).toMatchObject({
      path: 'POST /loki/api/v1/push',
      headers: { 'content-type': 'application/json', 'x-scope-orgid': 'team', authorization: 'Basic dTpw' },
    })
    expect(JSON.parse(first!.body)).toMatchObject({
      streams: [{ stream: labels, values: expect.arrayContaining([[`${AT}000000`, written()[1]]]) }],
    })
    expect(posts.flatMap(linesOf)).toEqual(written())
  })

  test('that has no room, or does not know us, is asked again; what it refuses for good is counted', async () => {
    const answers = [429, 500, 401, 400]
    const { posts, url } = await httpServer((_, turn) => ({ status: answers[turn - 1] ?? 204 }))
    const end = await begin(lokiSink({ name: 'loki-1', url, timeout: 2_000, labels }))
    ask('a')
    await expect.poll(() => posts.length, { timeout: 10_000 }).toBe(4)
    await expect.poll(() => lost).toEqual([{ log: 'audit', sink: 'loki-1', lines: 2 }])
    ask('b')
    await end()
    expect(posts.slice(4).flatMap(linesOf)).toEqual(written().slice(2))
    expect(alarms).toHaveLength(1)
    expect(JSON.stringify(alarms)).not.toContain('prev')
  }, 20_000)
})

describe('Elasticsearch and OpenSearch', () => {
  test('get documents with the time they know and the hash as their id', async () => {
    const { posts, url } = await httpServer(() => ({ status: 200, body: '{"errors":false,"items":[]}' }))
    const end = await begin(elasticsearchSink({ name: 'es-1', url, timeout: 2_000, index: 'audit', apiKey: 'abc' }))
    ask('a')
    await end()
    expect(posts[0]).toMatchObject({
      path: 'POST /_bulk',
      headers: { 'content-type': 'application/x-ndjson', authorization: 'ApiKey abc' },
    })
    const lines = posts.flatMap(({ body }) => body.split('\n').slice(0, -1))
    expect(posts[0]?.body.endsWith('\n')).toBe(true)
    const actions = lines.filter((_, at) => at % 2 === 0).map((line) => JSON.parse(line) as unknown)
    expect(actions).toEqual(written().map((line) => ({ create: { _index: 'audit', _id: hashOf(line) } })))
    expect(JSON.parse(lines[3]!)).toEqual({
      '@timestamp': '2019-02-06T00:00:38.123Z',
      ...(JSON.parse(written()[1]!) as object),
    })
  })

  test('are asked again for what they had no room for, and have each line once', async () => {
    const item = (status: number) => ({ create: { status } })
    const answers = [
      [item(201), item(429)],
      [item(409), item(201)],
      [item(400), item(201)],
    ]
    const { posts, url } = await httpServer((_, turn) => ({
      status: 200,
      body: JSON.stringify({ errors: true, items: answers[turn - 1] }),
    }))
    const sink = elasticsearchSink({ name: 'es-1', url, timeout: 2_000, index: 'audit' })
    closing.push(() => sink.close())
    const lines = ['a', 'b'].map(
      (key) => `{"n":1,"prev":"${'0'.repeat(64)}","at":"2019-02-06T00:00:38.123Z","kind":"x","key":"${key}"}`,
    )
    await expect(sink.deliver(lines)).rejects.toThrow('no room for all lines')
    expect(await sink.deliver(lines)).toBe(0)
    expect(await sink.deliver(lines)).toBe(1)
    expect(posts[1]?.body).toBe(posts[0]?.body)
  })
})

/** Takes nothing until it is told to. */
class StubbornSink implements Sink {
  readonly name = 'stubborn'
  readonly taken: string[] = []
  willing = false

  async deliver(lines: readonly string[]): Promise<number> {
    if (!this.willing) throw new Error('away')
    this.taken.push(...lines)
    return 0
  }

  async close(): Promise<void> {}
}

describe('a sink that stays away', () => {
  const long = 'k'.repeat(1_000)

  test('with the policy drop loses the oldest lines beyond its buffer, which are counted; the files have all', async () => {
    const sink = new StubbornSink()
    const end = await begin(sink, { buffer: 200_000 })
    for (let round = 0; round < 10; round += 1) {
      for (let n = 0; n < 100; n += 1) ask(long)
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    await expect.poll(() => lost.length, { timeout: 5_000 }).toBeGreaterThan(0)
    sink.willing = true
    await end()
    const dropped = lost.reduce((sum, { lines }) => sum + lines, 0)
    const all = written()
    expect(all.length).toBeGreaterThan(1_000)
    expect(sink.taken).toEqual(all.slice(dropped))
    expect(sink.taken.length).toBeGreaterThan(50)
  }, 20_000)

  test('with the policy block holds requests back before they are begun', async () => {
    const sink = new StubbornSink()
    await begin(sink, { policy: 'block', buffer: 100_000 })
    const enter = async (): Promise<void> => {
      const holds: Promise<void>[] = []
      passage.publish({ holdFor: (work) => void holds.push(work) })
      await Promise.all(holds)
    }
    await enter()
    for (let n = 0; n < 100; n += 1) ask(long)
    await expect
      .poll(() => enter().catch((error: Error) => error.message))
      .toBe('the audit log waits for its sink stubborn')
    sink.willing = true
    await expect.poll(() => enter().catch((error: Error) => error.message), { timeout: 5_000 }).toBe(undefined)
    expect(lost).toEqual([])
  }, 20_000)

  test('gets from the next process what this one could not send', async () => {
    const sink = new StubbornSink()
    const end = await begin(sink)
    ask('a')
    await end()
    sink.willing = true
    const endAgain = await begin(sink)
    ask('b')
    await endAgain()
    expect(sink.taken).toEqual(written())
    expect(written()).toHaveLength(6)
  }, 20_000)
})
