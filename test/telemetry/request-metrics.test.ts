/** What requests leave in the metrics, and what they cannot. */
import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test } from 'vitest'
import { Integrity } from '../../src/errors.ts'
import { alarm, requestBegun, requestDone, storeAttempt, storeCall } from '../../src/telemetry/channels.ts'
import { Meter } from '../../src/telemetry/meter.ts'
import { collectMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import { requestEvent, samples, valueOf } from '../helpers/metrics.ts'

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
let metrics: Metrics
afterEach(() => metrics.stop())

test('a request counts by operation, bucket, status and code, with its bytes', async () => {
  metrics = collectMetrics()
  metrics.nameBuckets(['one'])
  const bytes = { receivedBytes: 5, sentBytes: 100, storeReadBytes: 140, storeWrittenBytes: 7 }
  requestDone.publish(requestEvent({}, bytes))
  requestDone.publish(requestEvent({}, bytes))
  requestDone.publish(requestEvent({ bucket: 'two', status: 404, code: 'NoSuchKey' }))
  requestDone.publish(requestEvent({ bucket: 'one', status: 200, disconnected: true }))
  const { bucket: _, ...without } = requestEvent({ operation: 'ListBuckets' })
  requestDone.publish(without)
  const found = await samples(metrics)
  for (const line of [
    'sealgate_requests_total{operation="GetObject",bucket="one",status="200",code="none"} 2',
    'sealgate_requests_total{operation="GetObject",bucket="other",status="404",code="NoSuchKey"} 1',
    'sealgate_requests_total{operation="GetObject",bucket="one",status="200",code="ClientDisconnected"} 1',
    'sealgate_requests_total{operation="ListBuckets",bucket="none",status="200",code="none"} 1',
    'sealgate_client_bytes_total{bucket="one",direction="received"} 10',
    'sealgate_client_bytes_total{bucket="one",direction="sent"} 200',
    'sealgate_stored_bytes_total{bucket="one",direction="written"} 14',
    'sealgate_stored_bytes_total{bucket="one",direction="read"} 280',
  ]) {
    expect(found).toContain(line)
  }
})

test('the time of a request is split, and what is left is the gateway', async () => {
  metrics = collectMetrics()
  const times = { storeMilliseconds: 12, cipherMilliseconds: 3, keyMilliseconds: 4 }
  requestDone.publish(requestEvent({ milliseconds: 20 }, times))
  // A request that does several things at once spends more time than it takes.
  requestDone.publish(requestEvent({ milliseconds: 1 }, { storeMilliseconds: 5 }))
  const found = await samples(metrics)
  const sum = (stage: string) =>
    valueOf(found, `sealgate_request_stage_seconds_sum{operation="GetObject",stage="${stage}"}`)
  expect([sum('backend'), sum('cipher'), sum('keys'), sum('gateway')]).toEqual([0.017, 0.003, 0.004, 0.001])
  expect(valueOf(found, 'sealgate_request_seconds_bucket{le="0.01",operation="GetObject"}')).toBe(1)
  expect(valueOf(found, 'sealgate_request_seconds_bucket{le="+Inf",operation="GetObject"}')).toBe(2)
  expect(valueOf(found, 'sealgate_request_turnaround_seconds_bucket{le="0.025",operation="GetObject"}')).toBe(2)
})

test('requests under way are told by what they are at', async () => {
  metrics = collectMetrics()
  const header = () => undefined
  const meters = [new Meter(), new Meter(), new Meter()]
  for (const meter of meters) requestBegun.publish({ meter, header })
  Object.assign(meters[0]!, { receivedBytes: 10 })
  Object.assign(meters[1]!, { receivedBytes: 10, sentBytes: 1 })
  const states = async () => {
    const found = await samples(metrics)
    return ['waiting', 'receiving', 'sending'].map((one) => valueOf(found, `sealgate_open_requests{state="${one}"}`))
  }
  expect(await states()).toEqual([1, 1, 1])
  for (const meter of meters) requestDone.publish({ ...requestEvent(), meter })
  expect(await states()).toEqual([0, 0, 0])
})

describe('series are bounded', () => {
  test('under 10,000 random bucket names there are as many as under one', async () => {
    metrics = collectMetrics()
    metrics.nameBuckets(['one'])
    requestDone.publish(requestEvent())
    requestDone.publish(requestEvent({ bucket: 'first-of-many' }))
    const before = (await samples(metrics)).length
    for (let i = 0; i < 10_000; i += 1) {
      requestDone.publish(requestEvent({ bucket: randomBytes(8).toString('hex') }))
    }
    const found = await samples(metrics)
    expect(found).toHaveLength(before)
    expect(found).toContain(
      'sealgate_requests_total{operation="GetObject",bucket="other",status="200",code="none"} 10001',
    )
  })

  test('names that an operator has written down count up to metrics.buckets, through all reloads', async () => {
    metrics = collectMetrics({ buckets: 3 })
    for (let reload = 0; reload < 100; reload += 1) metrics.nameBuckets([`b-${reload}`, 'b-0'])
    for (let i = 0; i < 100; i += 1) requestDone.publish(requestEvent({ bucket: `b-${i}` }))
    const found = (await samples(metrics)).filter((line) => line.startsWith('sealgate_requests_total'))
    expect(found).toEqual(
      ['b-0', 'b-1', 'b-2']
        .map((bucket) => `sealgate_requests_total{operation="GetObject",bucket="${bucket}",status="200",code="none"} 1`)
        .concat('sealgate_requests_total{operation="GetObject",bucket="other",status="200",code="none"} 97'),
    )
  })

  test('combinations of labels count up to metrics.series', async () => {
    metrics = collectMetrics({ series: 100 })
    for (let i = 0; i < 1_000; i += 1) requestDone.publish(requestEvent({ status: 400, code: `Code${i}` }))
    const found = (await samples(metrics)).filter((line) => line.startsWith('sealgate_requests_total'))
    expect(found).toHaveLength(101)
    expect(found.at(-1)).toBe(
      'sealgate_requests_total{operation="other",bucket="other",status="other",code="other"} 900',
    )
  })
})

describe('nobody can break the text', () => {
  const hostile = ['a"} 1\nsealgate_up{x="', 'b\\', '\r\n# EOF\n', '\u001b[31m', 'x'.repeat(1_000_000)]

  for (const accept of [undefined, OPEN_METRICS]) {
    test(`not by a name of a bucket or a code, in ${accept === undefined ? 'the text format' : 'OpenMetrics'}`, async () => {
      metrics = collectMetrics()
      metrics.nameBuckets(hostile.slice(0, 4))
      for (const bucket of hostile) requestDone.publish(requestEvent({ bucket }))
      for (const code of hostile) requestDone.publish(requestEvent({ status: 400, code }))
      for (const traceId of hostile) requestDone.publish(requestEvent({ traceId }))
      const { text } = await metrics.scrape(accept)
      const sample = /^[a-zA-Z_:][\w:]*(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? \S+( # \{.*\} \S+ \S+)?$/
      const odd = text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !sample.test(line))
      expect(odd).toEqual([])
      expect(text).not.toContain('# {')
      expect(text.length).toBeLessThan(100_000)
    })
  }
})

describe('OpenMetrics', () => {
  test('is what who asks for it gets, with the trace of a request beside its time', async () => {
    metrics = collectMetrics()
    const traceId = 'ab'.repeat(16)
    requestDone.publish(requestEvent({ traceId, milliseconds: 20, at: 1_000_000 }))
    const { contentType, text } = await metrics.scrape(OPEN_METRICS)
    expect(contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(text).toContain('# TYPE sealgate_requests counter\nsealgate_requests_total{')
    expect(text).toContain(
      `sealgate_request_seconds_bucket{le="0.025",operation="GetObject"} 1 # {trace_id="${traceId}"} 0.02 1000.02\n`,
    )
    expect(text.endsWith('\n# EOF\n')).toBe(true)
    const plain = await metrics.scrape('text/plain')
    expect(plain.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(plain.text).toContain('# TYPE sealgate_requests_total counter\n')
    expect(plain.text).not.toContain(traceId)
  })

  test.each([
    ['application/openmetrics-text;version=0.0.1', false],
    ['application/openmetrics-text;q=0, text/plain', false],
    ['application/openmetrics-text', true],
    ['text/html', false],
    ['*/*', false],
    [`${'a,'.repeat(10_000)}application/openmetrics-text`, false],
  ])('%s: %s', async (accept, wanted) => {
    metrics = collectMetrics()
    expect((await metrics.scrape(accept)).contentType.startsWith('application/openmetrics')).toBe(wanted)
  })
})

test('stored data that is not what was written counts by kind, wherever in the causes it stands', async () => {
  metrics = collectMetrics()
  const cause = new Error('outer', { cause: new Integrity('payload failure', 'a chunk does not verify') })
  requestDone.publish(requestEvent({ status: 500, code: 'InternalError', cause }))
  requestDone.publish(requestEvent({ status: 500, code: 'InternalError', cause: new Error('a bug') }))
  alarm.publish({ what: 'x', detail: {}, cause: new Integrity('metadata failure', 'y') })
  const found = (await samples(metrics)).filter((line) => /^sealgate_integrity.* [1-9]/.test(line))
  expect(found).toEqual([
    'sealgate_integrity_failures_total{kind="metadata-failure",met="background"} 1',
    'sealgate_integrity_failures_total{kind="payload-failure",met="request"} 1',
  ])
})

test('calls of a store count by what came of them, and attempts by why they were made', async () => {
  metrics = collectMetrics()
  const call = { store: 'backend', call: 'get', begun: 0, milliseconds: 30, meter: new Meter() } as const
  storeCall.publish({ ...call, outcome: 'ok' })
  storeCall.publish({ ...call, outcome: 'unavailable' })
  storeAttempt.publish({ store: 'backend', outcome: 'unanswered', again: 'unanswered' })
  storeAttempt.publish({ store: 'backend', outcome: 'answered' })
  const found = await samples(metrics)
  for (const line of [
    'sealgate_store_calls_total{store="backend",call="get",outcome="ok"} 1',
    'sealgate_store_calls_total{store="backend",call="get",outcome="unavailable"} 1',
    'sealgate_store_call_seconds_count{store="backend",call="get"} 2',
    'sealgate_store_attempts_total{store="backend",outcome="answered"} 1',
    'sealgate_store_retries_total{store="backend",reason="unanswered"} 1',
  ]) {
    expect(found).toContain(line)
  }
})
