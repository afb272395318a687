/** Spans of requests, as a collector receives them. */
import { randomBytes } from 'node:crypto'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3'
import { afterEach, describe, expect, test } from 'vitest'
import { openTracing } from '../../src/compose/tracing.ts'
import { loadSettings } from '../../src/config/load.ts'
import {
  alarm,
  type AlarmEvent,
  keyCall,
  keyWait,
  requestBegun,
  requestDone,
  type RequestEvent,
  spans,
  storeCall,
  type SpansEvent,
} from '../../src/telemetry/channels.ts'
import { startGateway, type TestGateway, type TestGatewayOptions } from '../helpers/gateway.ts'
import { type OtlpReceiver, type ReceivedSpan, receiveGrpc, receiveHttp } from '../helpers/otlp-receiver.ts'
import { pemFile } from '../helpers/pem.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { SOURCES } from '../helpers/sources.ts'

const closes: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closes.splice(0).toReversed()) await close()
})

interface World {
  readonly gateway: TestGateway
  readonly collector: OtlpReceiver
  /** Ends tracing, which sends everything, and returns what came. */
  readonly told: () => Promise<readonly ReceivedSpan[]>
}

async function world(
  tracing: Readonly<Record<string, unknown>> = {},
  options: TestGatewayOptions = {},
  receive = receiveHttp,
): Promise<World> {
  const gateway = await startGateway(options)
  closes.push(() => gateway.close())
  await gateway.store.createBucket('one')
  const collector = await receive()
  closes.push(() => collector.close())
  const env = Object.fromEntries(
    Object.entries({ endpoint: collector.endpoint, sampleRatio: 1, ...tracing }).map(([name, value]) => [
      `SEALGATE_TELEMETRY_TRACING_${name.replaceAll(/[A-Z]/g, '_$&').toUpperCase()}`,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  )
  const settings = loadSettings({ env, readFile: () => '' })
  const end = await openTracing({ settings: () => settings, version: '1.2.3', random: randomBytes })
  let ended: Promise<void> | undefined
  const endOnce = (): Promise<void> => (ended ??= end())
  closes.push(endOnce)
  const told = async (): Promise<readonly ReceivedSpan[]> => {
    await endOnce()
    return collector.spans
  }
  return { gateway, collector, told }
}

const named = (list: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = list.filter((span) => span.name === name)
  expect(found, `spans: ${list.map((span) => span.name).join(', ')}`).toHaveLength(1)
  return found[0]!
}

const Bucket = 'one'
const Key = 'secret/name.txt'

function heard<T>(channel: { subscribe: (listener: (event: T) => void) => () => void }): T[] {
  const list: T[] = []
  closes.push(channel.subscribe((event) => void list.push(event)))
  return list
}

/** One object there and back, with whatever headers. */
async function putAndGet({ gateway }: World, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const client = gateway.client()
  client.middlewareStack.add(
    (next) => (args) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- so the SDK types it
      Object.assign((args.request as { headers: Record<string, string> }).headers, headers)
      return next(args)
    },
    { step: 'build' },
  )
  await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(100_000, 'x') }))
  await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToByteArray()
}

describe('a request that is sampled', () => {
  test('has a span with what S3 and HTTP know of it, and below it one for each call of the store, the key, and all ciphering', async () => {
    const here = await world()
    const events = heard<RequestEvent>(requestDone)
    await putAndGet(here)
    const list = await here.told()
    const get = named(list, 'S3/GetObject')
    expect(get).toMatchObject({
      kind: 2,
      parentSpanId: '',
      status: 0,
      attributes: {
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'http.response.body.size': 100_000,
        'rpc.system': 'aws-api',
        'rpc.service': 'S3',
        'rpc.method': 'GetObject',
        'aws.s3.bucket': Bucket,
        'aws.request_id': expect.stringMatching(/^[0-9A-F]{16}$/),
        'server.port': here.gateway.port,
        'url.scheme': 'http',
        'client.address': '127.0.0.1',
      },
    })
    expect(get.attributes['sealgate.bytes.store_read']).toBeGreaterThan(100_000)
    const below = list.filter((span) => span.parentSpanId === get.spanId)
    expect(below.map(({ name }) => name).sort()).toEqual(['backend/get', 'bucket-key', 'cipher'])
    for (const span of below) {
      expect(span.traceId).toBe(get.traceId)
      expect(span.begun).toBeGreaterThanOrEqual(get.begun - 2)
      expect(span.begun + span.milliseconds).toBeLessThanOrEqual(get.begun + get.milliseconds + 2)
    }
    expect(events.map(({ traceId }) => traceId)).toContain(get.traceId)
    expect(named(list, 'S3/PutObject').traceId).not.toBe(get.traceId)
    expect(here.collector.resources[0]).toMatchObject({ 'service.name': 'sealgate', 'service.version': '1.2.3' })
  })

  test('that fails for us is an error, and one that S3 refuses is none', async () => {
    const here = await world()
    const client = here.gateway.client({ maxAttempts: 1 })
    await expect(client.send(new GetObjectCommand({ Bucket, Key: 'none' }))).rejects.toThrow()
    here.gateway.store.get = async () => {
      throw new Error('the disk is on fire')
    }
    here.gateway.store.head = here.gateway.store.get as never
    await expect(client.send(new GetObjectCommand({ Bucket, Key: 'none' }))).rejects.toThrow()
    const list = (await here.told()).filter(({ name }) => name === 'S3/GetObject')
    expect(list.map(({ status, attributes }) => [status, attributes['error.type']])).toEqual([
      [0, 'NoSuchKey'],
      [2, 'InternalError'],
    ])
    expect(JSON.stringify(here.collector.spans)).not.toContain('on fire')
  })

  test('shows the call of a key manager that it has waited for', async () => {
    const here = await world()
    const { keys } = here.gateway.gateway
    const active = keys.active.bind(keys)
    keys.active = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 30))
      keyCall.publish({ manager: 'main', call: 'generate', outcome: 'ok', milliseconds: 20, at: Date.now() })
      keyCall.publish({ manager: 'other', call: 'wrap', outcome: 'ok', milliseconds: 20, at: Date.now() })
      return active(...args)
    }
    await here.gateway.client().send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
    const list = await here.told()
    const wait = named(list, 'bucket-key')
    expect(wait.milliseconds).toBeGreaterThan(25)
    expect(named(list, 'key-manager/generate')).toMatchObject({ kind: 3, parentSpanId: wait.spanId, milliseconds: 20 })
    expect(list.some(({ name }) => name === 'key-manager/wrap')).toBe(false)
  })

  test('names the part and the upload that it is about', async () => {
    const here = await world()
    const sent = new UploadPartCommand({ Bucket, Key, UploadId: 'nobody', PartNumber: 7, Body: 'x' })
    await expect(here.gateway.client().send(sent)).rejects.toThrow()
    const { attributes } = named(await here.told(), 'S3/UploadPart')
    expect(attributes).toMatchObject({ 'aws.s3.upload_id': 'nobody', 'aws.s3.part_number': 7 })
  })
})

describe('names of objects', () => {
  const everything = async (here: World): Promise<string> => {
    await putAndGet(here)
    await here.gateway.client().send(new ListObjectsV2Command({ Bucket, Prefix: 'secret/' }))
    return JSON.stringify(await here.told())
  }

  test('are told nowhere by default', async () => {
    expect(await everything(await world())).not.toContain('secret')
  })

  test('are the same hash each time, which only the key tells', async () => {
    const first = await world({ objectNames: 'hash', hashKey: 'k'.repeat(32) })
    expect(await everything(first)).not.toContain('secret/')
    const hashes = new Set(first.collector.spans.map(({ attributes }) => attributes['aws.s3.key']).filter(Boolean))
    expect([...hashes]).toEqual([expect.stringMatching(/^hmac:[0-9a-f]{32}$/)])
    const other = await world({ objectNames: 'hash', hashKey: 'l'.repeat(32) })
    await putAndGet(other)
    await other.told()
    expect(hashes.has(other.collector.spans[0]?.attributes['aws.s3.key'])).toBe(false)
  })

  test('are told as they are where they are kept, and nothing that a URL is signed with', async () => {
    const here = await world({ objectNames: 'keep' })
    const url = `${here.gateway.endpoint}/one/secret/name.txt?X-Amz-Signature=abcdef0123&X-Amz-Algorithm=AWS4-HMAC-SHA256`
    await (await fetch(url)).text()
    const text = await everything(here)
    expect(text).toContain('"aws.s3.key":"secret/name.txt"')
    expect(text).toContain('"url.path":"/one/secret/name.txt"')
    expect(text).toContain('X-Amz-Signature=REDACTED')
    expect(text).not.toContain('abcdef0123')
  })

  test('and whatever else a client writes is bounded, and acts on no terminal', async () => {
    const here = await world({ objectNames: 'keep' })
    const hostile = `\u009b31m${'\u{1f600}'.repeat(700)}`
    const name = encodeURIComponent(`\u001b[31m\r\n${'k'.repeat(3_000)}`)
    const answer = await fetch(
      `${here.gateway.endpoint}/one/${name}?uploadId=${encodeURIComponent(`\r\n${'u'.repeat(4_000)}`)}`,
      {
        headers: { 'user-agent': Buffer.from(hostile, 'utf8').toString('latin1').slice(0, 3_000) },
      },
    )
    await answer.text()
    const [{ attributes } = { attributes: {} }] = await here.told()
    for (const [attribute, value] of Object.entries(attributes)) {
      expect(String(value), attribute).toMatch(/^\P{Cc}*$/u)
      expect(String(value).length, attribute).toBeLessThanOrEqual(1_025)
    }
  })
})

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const UNSAMPLED = PARENT.replace(/01$/, '00')

describe('the trace of a client', () => {
  test('is none of ours unless a setting trusts it', async () => {
    const here = await world()
    await putAndGet(here, { traceparent: PARENT })
    const list = await here.told()
    expect(list.some(({ traceId }) => PARENT.includes(traceId))).toBe(false)
  })

  test('is continued where it is trusted, and its sampling holds, whatever the ratio', async () => {
    const here = await world({ trustParent: true, sampleRatio: 0 })
    await putAndGet(here, { traceparent: PARENT })
    const get = named(await here.told(), 'S3/GetObject')
    expect([get.traceId, get.parentSpanId]).toEqual(['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'])
  })

  test('that is not sampled is not, whatever the ratio', async () => {
    const here = await world({ trustParent: true })
    await putAndGet(here, { traceparent: UNSAMPLED })
    expect(await here.told()).toEqual([])
  })

  test.each([
    ['too short', '00-4bf9-00f067aa0ba902b7-01'],
    ['of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['longer than its version', `${PARENT}-more`],
    ['of no version', PARENT.replace(/^00/, 'ff')],
    ['in capitals', PARENT.toUpperCase()],
    ['of two', `${PARENT}, ${PARENT}`],
    ['endless', `cc${PARENT.slice(2)}-${'x'.repeat(4_000)}`],
  ])('that is %s is not continued', async (_what, traceparent) => {
    const here = await world({ trustParent: true })
    await putAndGet(here, { traceparent })
    expect(named(await here.told(), 'S3/GetObject').parentSpanId).toBe('')
  })
})

describe('the store', () => {
  /** What a backend over HTTP was sent. */
  async function overHttp(tracing: Readonly<Record<string, unknown>>, headers: Record<string, string> = {}) {
    const backend = await startGateway()
    closes.push(() => backend.close())
    const sent: (string | undefined)[][] = []
    const store = s3Store({
      endpoint: backend.endpoint,
      onSend: ({ method, headers: h }) => sent.push([method, h['traceparent'], h['tracestate'], h['authorization']]),
    })
    const here = await world(tracing, { store })
    sent.length = 0
    await putAndGet(here, headers)
    return { here, sent }
  }

  test('is told nothing unless a setting says so', async () => {
    const { sent } = await overHttp({})
    expect(sent.length).toBeGreaterThan(1)
    expect(sent.filter(([, traceparent]) => traceparent !== undefined)).toEqual([])
  })

  test('is told of the span of each call, unsigned, with the state of the client', async () => {
    const { here, sent } = await overHttp(
      { propagate: true, trustParent: true },
      { traceparent: PARENT, tracestate: 'vendor=1' },
    )
    const list = await here.told()
    const [, traceparent = '', tracestate, authorization] = sent.find(([method]) => method === 'GET') ?? []
    expect(traceparent).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
    const call = list.find(({ spanId }) => spanId === traceparent.slice(36, 52))
    expect(call?.name).toBe('backend/get')
    // The backend is a gateway too: its span is below the call.
    expect(list.find(({ parentSpanId }) => parentSpanId === call?.spanId)?.name).toBe('S3/GetObject')
    expect(tracestate).toBe('vendor=1')
    expect(authorization).not.toContain('trace')
  })

  test('is told that a request is not sampled', async () => {
    const { here, sent } = await overHttp({ propagate: true, sampleRatio: 0 })
    expect(sent.map(([, traceparent]) => traceparent)).toEqual(
      sent.map(() => expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)),
    )
    expect(await here.told()).toEqual([])
  })
})

describe('the collector', () => {
  test('over gRPC is told the same, with its headers', async () => {
    const here = await world({ protocol: 'grpc', headers: [{ name: 'x-team', value: 'blue' }] }, {}, receiveGrpc)
    await putAndGet(here)
    expect((await here.told()).map(({ name }) => name)).toContain('S3/GetObject')
    expect(here.collector.headers[0]).toMatchObject({ 'x-team': 'blue' })
  })

  test('over HTTP gets its headers', async () => {
    const here = await world({ headers: [{ name: 'x-team', value: 'blue' }] })
    await putAndGet(here)
    await here.told()
    expect(here.collector.headers[0]).toMatchObject({ 'x-team': 'blue' })
  })

  test.each([
    ['http', receiveHttp],
    ['grpc', receiveGrpc],
  ] as const)('over %s and TLS is told where its authority is trusted, and nowhere else', async (protocol, receive) => {
    const secure = () => receive({ secure: true })
    const trusted = await world({ protocol, caFile: pemFile('cert') }, {}, secure)
    await putAndGet(trusted)
    expect((await trusted.told()).map(({ name }) => name)).toContain('S3/GetObject')
    const counted = heard<SpansEvent>(spans)
    const other = await world({ protocol, timeout: '1s' }, {}, secure)
    await putAndGet(other)
    expect(await other.told()).toEqual([])
    await expect.poll(() => counted.map(({ outcome }) => outcome)).toContain('failed')
  })

  test('that refuses costs spans, which are counted, one alarm, and no request', async () => {
    const here = await world()
    const [counted, alarms] = [heard<SpansEvent>(spans), heard<AlarmEvent>(alarm)]
    here.collector.refuse = true
    await putAndGet(here)
    expect(await here.told()).toEqual([])
    expect(new Set(counted.map(({ outcome }) => outcome))).toEqual(new Set(['failed']))
    expect(alarms.map(({ what }) => what)).toEqual(['the collector takes no spans'])
  })

  test('that is away holds up neither requests nor the end', async () => {
    const here = await world({ endpoint: 'http://127.0.0.1:9' })
    const begun = performance.now()
    await putAndGet(here)
    expect(performance.now() - begun).toBeLessThan(5_000)
    await here.told()
    expect(performance.now() - begun).toBeLessThan(15_000)
  })
})

test('without an endpoint nothing listens', async () => {
  const settings = loadSettings({ env: {}, readFile: () => '' })
  const end = await openTracing({ settings: () => settings, version: '1.2.3', random: randomBytes })
  expect([requestBegun.heard, storeCall.heard, keyWait.heard]).toEqual([false, false, false])
  await end()
})

test('no source loads OpenTelemetry but when it is asked to', () => {
  const loaders = [...SOURCES].filter(([, text]) => /import (?!type)[^\n]*'(?:@opentelemetry|@grpc)\//.test(text))
  expect(loaders.map(([file]) => file)).toEqual([])
})
