/** The metrics of several processes as one, and many who ask for them. */
import { describe, expect, test } from 'vitest'
import { clusterMetrics } from '../../src/telemetry/metrics/cluster.ts'
import { scraping } from '../../src/telemetry/metrics/exposition.ts'
import type { Family, Snapshot } from '../../src/telemetry/metrics/snapshot.ts'
import { samples, valueOf } from '../helpers/metrics.ts'

const family = (name: string, value: number, more: Partial<Family> = {}): Family => ({
  name,
  help: 'h',
  type: 'counter',
  aggregator: 'sum',
  values: [{ labels: {}, value }],
  ...more,
})

const worker = (requests: number, open: number): Snapshot => [
  family('requests_total', requests),
  family('open', open, { type: 'gauge' }),
  family('ends', 100 - open, { type: 'gauge', aggregator: 'min' }),
]

const own = async (): Promise<Snapshot> => [family('requests_total', 0)]

describe('a cluster', () => {
  test('is the sum of its workers, or the least or the most of them', async () => {
    const asked = new Map([
      [1, async () => worker(10, 2)],
      [2, async () => worker(20, 3)],
    ])
    const found = await samples(clusterMetrics({ own, workers: () => asked }))
    expect([valueOf(found, 'requests_total'), valueOf(found, 'open'), valueOf(found, 'ends')]).toEqual([30, 5, 97])
    expect(valueOf(found, 'sealgate_workers{state="answered"}')).toBe(2)
  })

  test('counts a worker that is silent as it was, and one that has ended for what it had counted: nothing goes down', async () => {
    const asked = new Map([
      [1, async () => worker(10, 2)],
      [2, async () => worker(20, 3)],
    ])
    const metrics = clusterMetrics({ own, workers: () => asked })
    await metrics.scrape(undefined)
    asked.set(2, () => Promise.reject(new Error('silent')))
    const silent = await samples(metrics)
    expect([valueOf(silent, 'requests_total'), valueOf(silent, 'open')]).toEqual([30, 5])
    expect(valueOf(silent, 'sealgate_workers{state="silent"}')).toBe(1)
    asked.delete(2)
    metrics.forget(2)
    asked.set(3, async () => worker(1, 0))
    const replaced = await samples(metrics)
    expect([valueOf(replaced, 'requests_total'), valueOf(replaced, 'open')]).toEqual([31, 2])
  })

  test('keeps exemplars, the newest of each bucket', async () => {
    const at = (timestamp: number, trace_id: string): Snapshot => {
      const exemplar = { labelSet: { trace_id }, value: 1, timestamp }
      const values = [{ metricName: 'seconds_bucket', labels: { le: '+Inf' }, value: 1, exemplar }]
      return [family('seconds', 0, { type: 'histogram', values })]
    }
    const asked = new Map([
      [1, async () => at(5, 'a')],
      [2, async () => at(7, 'b')],
      [3, async () => at(6, 'c')],
    ])
    const found = await samples(clusterMetrics({ own, workers: () => asked }), 'application/openmetrics-text')
    expect(found).toContain('seconds_bucket{le="+Inf"} 3 # {trace_id="b"} 1 7')
  })
})

test('a thousand scrapes at once are one look for each format, and the next one looks anew', async () => {
  let looks = 0
  const scrape = scraping(async () => {
    looks += 1
    await new Promise((resolve) => setTimeout(resolve, 20))
    return [family('requests_total', looks)]
  })
  const formats = [undefined, 'application/openmetrics-text']
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => scrape(formats[i % 2])))
  expect(looks).toBe(2)
  expect(new Set(answers.map(({ text }) => text)).size).toBe(2)
  expect(valueOf(await samples({ scrape }), 'requests_total')).toBe(3)
})

test('a look that fails fails for those who wait for it, and for nobody else', async () => {
  let fails = true
  const scrape = scraping(() => (fails ? Promise.reject(new Error('away')) : Promise.resolve([])))
  const both = await Promise.allSettled([scrape(undefined), scrape(undefined)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  fails = false
  expect((await scrape(undefined)).text).toBe('\n')
})
