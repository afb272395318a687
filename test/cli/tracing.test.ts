/** Spans of a gateway as it is started: the libraries are found, each process traces, and nothing is lost at its end. */
import { afterEach, expect, test } from 'vitest'
import { logLines } from '../helpers/command-output.ts'
import { Workplace } from '../helpers/command.ts'
import { type OtlpReceiver, receiveGrpc, receiveHttp } from '../helpers/otlp-receiver.ts'

const closes: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closes.splice(0).toReversed()) await close()
})

test.each([
  ['http', 1, receiveHttp],
  ['grpc', 2, receiveGrpc],
] as const)(
  'over %s, of %i processes',
  async (protocol, workers, receive) => {
    const collector: OtlpReceiver = await receive()
    closes.push(() => collector.close())
    const place = new Workplace({
      SEALGATE_SERVER_WORKERS: String(workers),
      SEALGATE_TELEMETRY_TRACING_ENDPOINT: collector.endpoint,
      SEALGATE_TELEMETRY_TRACING_PROTOCOL: protocol,
      SEALGATE_TELEMETRY_TRACING_SAMPLE_RATIO: '1',
      SEALGATE_TELEMETRY_TRACING_SERVICE_NAME: 'blue',
    })
    closes.push(() => place.remove())
    const gateway = await place.serve()
    // Of connections of their own, so that all processes get some.
    for (let i = 0; i < 20; i += 1) await fetch(`${gateway.endpoint}/one/key`, { headers: { connection: 'close' } })
    expect(await gateway.stop()).toBe(0)
    const requests = collector.spans.filter(({ name }) => name === 'S3/GetObject')
    expect(requests).toHaveLength(20)
    expect(requests[0]?.attributes).toMatchObject({ 'error.type': 'AccessDenied', 'aws.s3.bucket': 'one' })
    expect(new Set(collector.resources.map((one) => one['service.instance.id'])).size).toBe(workers)
    expect(collector.resources[0]).toMatchObject({ 'service.name': 'blue', 'process.pid': expect.any(Number) })
    const logged = logLines(gateway.stderr()).map((line) => (line as { traceId?: string }).traceId)
    expect(new Set(logged.filter(Boolean))).toEqual(new Set(requests.map(({ traceId }) => traceId)))
  },
  60_000,
)

test('a certificate that is not there stops the start', async () => {
  const place = new Workplace({
    SEALGATE_TELEMETRY_TRACING_ENDPOINT: 'https://127.0.0.1:4318',
    SEALGATE_TELEMETRY_TRACING_CA_FILE: 'none.pem',
  })
  closes.push(() => place.remove())
  const { code, stderr } = await place.run(['serve'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('telemetry.tracing.caFile')])
}, 60_000)
