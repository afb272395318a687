import { afterEach, expect, test } from 'vitest'
import {
  keyCache,
  keyCacheSize,
  keyCall,
  keyFailover,
  keyManager,
  linesLost,
  plaintextLeft,
  plaintextSeen,
  requestDone,
  rotationSeen,
} from '../../src/telemetry/channels.ts'
import { collectMetrics, type Metrics } from '../../src/telemetry/metrics.ts'
import { requestEvent, samples } from '../helpers/metrics.ts'

let metrics: Metrics
afterEach(() => metrics.stop())

const lines = async (prefix = ''): Promise<string[]> =>
  (await samples(metrics)).filter((line) => line.startsWith(`sealgate_${prefix}`))

test('what is left in plaintext is a gauge, and each meeting with it is counted', async () => {
  metrics = collectMetrics()
  metrics.nameBuckets(['old'])
  plaintextSeen.publish({ bucket: 'old', key: 'a' })
  plaintextSeen.publish({ bucket: 'old', key: 'a' })
  plaintextLeft.publish({ bucket: 'old', examined: 10, plain: 7 })
  plaintextLeft.publish({ bucket: 'old', examined: 12, plain: 3 })
  expect(await lines('plaintext')).toEqual([
    'sealgate_plaintext_objects{bucket="old"} 3',
    'sealgate_plaintext_examined_objects{bucket="old"} 12',
    'sealgate_plaintext_seen_total{bucket="old"} 2',
  ])
})

test('what is left in buckets without a label of their own is one sum, in which each counts as it was found last', async () => {
  metrics = collectMetrics()
  plaintextLeft.publish({ bucket: 'a', examined: 10, plain: 7 })
  plaintextLeft.publish({ bucket: 'b', examined: 5, plain: 5 })
  plaintextLeft.publish({ bucket: 'a', examined: 10, plain: 1 })
  expect(await lines('plaintext')).toEqual([
    'sealgate_plaintext_objects{bucket="other"} 6',
    'sealgate_plaintext_examined_objects{bucket="other"} 15',
  ])
})

test('looks for bucket keys are counted by what came of them, and a key manager that is away is a gauge', async () => {
  metrics = collectMetrics()
  for (const event of ['hit', 'hit', 'stale'] as const) keyCache.publish({ event })
  for (const state of ['open', 'half-open'] as const) keyManager.publish({ manager: 'main', state })
  expect(await lines('key_cache_total')).toEqual(
    ['hit"} 2', 'miss"} 0', 'stale"} 1', 'evicted"} 0', 'rejected"} 0'].map(
      (end) => `sealgate_key_cache_total{event="${end}`,
    ),
  )
  expect(await lines('key_manager_open')).toEqual(['sealgate_key_manager_open{manager="main"} 1'])
  keyManager.publish({ manager: 'main', state: 'closed' })
  expect(await lines()).toContain('sealgate_key_manager_open{manager="main"} 0')
})

test('the phase of a rotation, and how far it is, are gauges', async () => {
  metrics = collectMetrics()
  const seen = { from: 'old', to: 'new', stalled: true, total: 9, examined: 4, rewrapped: 3, failed: 1 }
  rotationSeen.publish({ ...seen, phase: 'draining' })
  rotationSeen.publish({ ...seen, phase: 'rewrapping' })
  const found = await lines()
  expect(found).toContain('sealgate_rotation_phase{phase="draining"} 0')
  expect(found).toContain('sealgate_rotation_phase{phase="rewrapping"} 1')
  expect(found).toContain('sealgate_rotation_stalled{to="new"} 1')
  expect(found).toContain('sealgate_rotation_keys{outcome="failed"} 1')
})

test('calls of a key manager are counted by what came of them and timed; its last answer, stand-ins and open keys are told', async () => {
  metrics = collectMetrics()
  const call = { manager: 'main', call: 'unwrap' } as const
  keyCall.publish({ ...call, outcome: 'ok', milliseconds: 30, at: 5_000 })
  keyCall.publish({ ...call, outcome: 'unavailable', milliseconds: 4_000, at: 9_000 })
  keyCall.publish({ ...call, outcome: 'not-asked', milliseconds: 0, at: 10_000 })
  keyFailover.publish({ manager: 'second' })
  keyCacheSize.publish({ entries: 7, oldest: () => 90_000 })
  const found = await lines()
  for (const line of [
    'sealgate_key_calls_total{manager="main",call="unwrap",outcome="ok"} 1',
    'sealgate_key_calls_total{manager="main",call="unwrap",outcome="unavailable"} 1',
    'sealgate_key_calls_total{manager="main",call="unwrap",outcome="not-asked"} 1',
    'sealgate_key_call_seconds_bucket{le="0.05",manager="main"} 1',
    'sealgate_key_call_seconds_count{manager="main"} 2',
    'sealgate_key_manager_answered_timestamp_seconds{manager="main"} 5',
    'sealgate_key_failover_total{manager="second"} 1',
    'sealgate_key_cache_entries 7',
    'sealgate_key_cache_oldest_seconds 90',
  ]) {
    expect(found).toContain(line)
  }
})

test('lines of logs that were lost are counted by where they should have gone', async () => {
  metrics = collectMetrics()
  for (const lines of [3, 4]) linesLost.publish({ log: 'audit', sink: 'loki-1', lines })
  expect(await lines('log_lines_lost')).toEqual(['sealgate_log_lines_lost_total{log="audit",sink="loki-1"} 7'])
})

test('nothing is counted after the end', async () => {
  metrics = collectMetrics()
  metrics.stop()
  plaintextSeen.publish({ bucket: 'old', key: 'a' })
  requestDone.publish(requestEvent())
  expect([...(await lines('plaintext')), ...(await lines('requests'))]).toEqual([])
})
