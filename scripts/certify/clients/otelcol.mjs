/** Not a client but who watches: a real OpenTelemetry collector is told of requests, and `go tool pprof` opens profiles of a gateway that is busy. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { startGateway } from '../gateway.mjs'
import { build } from '../install.mjs'
import { assert, freePort, serve, sh, until } from '../shell.mjs'

const SOURCE = join(dirname(fileURLToPath(import.meta.url)), '..', 'otelcol')
const TOKEN = 'token-of-the-certification-0123456789abcdef'
const Bucket = 'watched'
const Key = 'a-name-that-nobody-tells'

export const otelcol = {
  name: 'otelcol',
  label: 'OpenTelemetry collector, go tool pprof',
  notes: 'A collector from its Go modules, over HTTP and gRPC; it is stopped under a gateway too. Profiles are opened by `go tool pprof`.',
  leavesNothing: true,
  cannot: (_options, store) => (store.embedded ? undefined : 'observability is tried over the embedded store'),
  install: ({ cache }) => {
    const bin = join(cache, 'bin', 'otelcol')
    if (!existsSync(bin)) {
      const sources = ['build.sh', 'go.mod', 'main.go']
      build(cache, SOURCE, { needs: ['go', ['version']], sources, product: bin, command: ['bash', 'build.sh', bin] })
    }
    return { bin, version: /(\d+\.\d+\.\d+)/.exec(sh(bin, ['--version']))?.[1] ?? '' }
  },
  run,
}

async function run(cx, { bin }) {
  const folder = mkdtempSync(join(cx.cache, 'otelcol-'))
  const collector = new Collector(folder, bin)
  try {
    await collector.start()
    for (const protocol of ['http', 'grpc']) {
      await cx.check(`spans over ${protocol}`, () => traced(cx, collector, protocol))
    }
    await cx.check('a collector that goes away and comes back costs no request', () => outage(cx, collector))
    await cx.check('profiles open in go tool pprof', () => profiles(cx, folder))
  } finally {
    await collector.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

class Collector {
  constructor(folder, bin) {
    Object.assign(this, { folder, bin, out: join(folder, 'spans.jsonl') })
  }

  async start() {
    this.ports ??= { http: await freePort(), grpc: await freePort() }
    const { http, grpc } = this.ports
    const config = join(this.folder, 'config.yaml')
    writeFileSync(
      config,
      `receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:${http}"}, grpc: {endpoint: "127.0.0.1:${grpc}"}}}}
exporters: {file: {path: ${this.out}, append: true}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [file]}}
`,
    )
    const log = join(this.folder, `collector-${Date.now()}.log`)
    this.server = await serve(this.bin, ['--config', config], { log, ready: (text) => text.includes('Everything is ready') })
  }

  async stop() {
    await this.server?.stop()
  }

  endpoint(protocol) {
    return `http://127.0.0.1:${this.ports[protocol]}`
  }

  /** Of the service: all spans that it has been told. */
  spans(service) {
    const lines = existsSync(this.out) ? readFileSync(this.out, 'utf8').split('\n').filter(Boolean) : []
    return lines
      .flatMap((line) => JSON.parse(line).resourceSpans)
      .filter(({ resource }) => valueOf(resource, 'service.name') === service)
      .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
  }
}

const valueOf = ({ attributes = [] }, name) => {
  const value = attributes.find(({ key }) => key === name)?.value ?? {}
  return value.stringValue ?? value.intValue ?? value.boolValue
}

const tracing = (collector, protocol, service, more = {}) => ({
  SEALGATE_TELEMETRY_TRACING_ENDPOINT: collector.endpoint(protocol),
  SEALGATE_TELEMETRY_TRACING_PROTOCOL: protocol,
  SEALGATE_TELEMETRY_TRACING_SAMPLE_RATIO: '1',
  SEALGATE_TELEMETRY_TRACING_SERVICE_NAME: service,
  ...more,
})

async function putAndGet(gateway, times = 1) {
  const client = connect(gateway)
  try {
    await client.send(new CreateBucketCommand({ Bucket })).catch(() => undefined)
    for (let i = 0; i < times; i += 1) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(200_000, i) }))
      await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body.transformToByteArray()
    }
  } finally {
    client.destroy()
  }
}

async function traced(cx, collector, protocol) {
  const service = `over-${protocol}`
  const gateway = await startGateway(cx.cache, cx.store, { env: tracing(collector, protocol, service) })
  try {
    await putAndGet(gateway)
  } finally {
    await gateway.stop()
  }
  await until(async () => assert(collector.spans(service).some(({ name }) => name === 'S3/GetObject'), 'no span came'), 20)
  const spans = collector.spans(service)
  const get = spans.find(({ name }) => name === 'S3/GetObject')
  const below = spans.filter(({ parentSpanId }) => parentSpanId === get.spanId)
  for (const name of ['backend/get', 'bucket-key', 'cipher']) {
    assert(below.some((span) => span.name === name && span.traceId === get.traceId), `there is no ${name} below ${get.name}`)
  }
  assert(valueOf(get, 'aws.s3.bucket') === Bucket && valueOf(get, 'rpc.method') === 'GetObject', 'attributes are missing')
  assert(!readFileSync(collector.out, 'utf8').includes(Key), 'the name of the object was told')
  return `${spans.length} spans`
}

async function outage(cx, collector) {
  const service = 'outage'
  const gateway = await startGateway(cx.cache, cx.store, {
    env: tracing(collector, 'http', service, { SEALGATE_TELEMETRY_TRACING_TIMEOUT: '2s' }),
  })
  try {
    await collector.stop()
    const begun = Date.now()
    await putAndGet(gateway, 50)
    const seconds = (Date.now() - begun) / 1_000
    await until(async () => assert(readFileSync(gateway.log, 'utf8').includes('the collector takes no spans'), 'nothing is logged'), 20)
    const before = collector.spans(service).length
    await collector.start()
    await until(async () => {
      await putAndGet(gateway)
      assert(collector.spans(service).length > before, 'it is told nothing after it came back')
    }, 30)
    return `100 requests in ${seconds.toFixed(1)} s without it`
  } finally {
    await gateway.stop()
  }
}

async function profiles(cx, folder) {
  const admin = `127.0.0.1:${await freePort()}`
  const gateway = await startGateway(cx.cache, cx.store, {
    env: { SEALGATE_ADMIN_LISTEN: admin, SEALGATE_ADMIN_TOKEN: TOKEN, SEALGATE_ADMIN_PROFILING: 'true' },
  })
  const take = async (kind) => {
    const answer = await fetch(`http://${admin}/v1/profile/${kind}?seconds=3`, { headers: { authorization: `Bearer ${TOKEN}` } })
    const bytes = Buffer.from(await answer.arrayBuffer())
    assert(answer.status === 200, `${kind} was answered with ${answer.status}: ${bytes}`)
    return bytes
  }
  const busy = async (kind) => {
    const done = new AbortController()
    const taken = take(kind).finally(() => done.abort())
    while (!done.signal.aborted) await putAndGet(gateway, 5)
    return taken
  }
  const tops = []
  try {
    for (const kind of ['cpu', 'wall', 'heap']) {
      const file = join(folder, `${kind}.pb.gz`)
      writeFileSync(file, await busy(kind))
      const top = sh('go', ['tool', 'pprof', '-top', '-cum', file])
      assert(/^Type: (cpu|wall|inuse_space)$/m.test(top), `pprof does not know what it is: ${top}`)
      if (kind === 'cpu') assert(/ serve$/m.test(top), `nobody served: ${top.slice(0, 2000)}`)
      tops.push(`${kind}: ${/^Showing nodes.*$/m.exec(top)?.[0] ?? ''}`)
    }
    const { traceEvents } = JSON.parse(gunzipSync(await busy('event-loop')).toString())
    assert(traceEvents.some(({ name }) => name === 'RunTimers'), 'the trace has no phases of the event loop')
    return tops.join('; ')
  } finally {
    await gateway.stop()
  }
}
