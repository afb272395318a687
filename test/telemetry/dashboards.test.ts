/** What dashboards, alerts and documents say of metrics is what the code has. Whether expressions parse, and alerts fire, a real Prometheus tells: `npm run certify -- --client prometheus`. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { dashboardFiles } from '../../scripts/docs/dashboards.ts'
import { withMetrics } from '../../scripts/docs/metrics-table.ts'
import type { Description } from '../../src/telemetry/metrics/snapshot.ts'
import { everyMetric } from '../helpers/every-metric.ts'
import { expressions, groupingsOf, isMet, labelsOf, rules, selectorsOf } from '../helpers/expressions.ts'

let lines: string[]
let described: readonly Description[]
beforeAll(async () => {
  const found = await everyMetric()
  lines = found.text.split('\n').filter((line) => /^[a-z]/.test(line))
  described = found.described
})

const nameOf = (line: string): string => /^\w+/.exec(line)?.[0] ?? ''

test('every metric has a series, and every series is of a metric', () => {
  const families = new Set(lines.map(nameOf))
  const of = ({ name, type }: Description): string => (type === 'histogram' ? `${name}_count` : name)
  expect(described.filter((one) => !families.has(of(one))).map(({ name }) => name)).toEqual([])
  const suffixes = /_(bucket|sum|count)$/
  const known = new Set(described.map(({ name }) => name))
  expect([...families].filter((name) => !known.has(name) && !known.has(name.replace(suffixes, '')))).toEqual([])
})

test('the labels of a metric are those that it was described with', () => {
  for (const { name, labels } of described) {
    for (const line of lines.filter((one) => nameOf(one).replace(/_(bucket|sum|count)$/, '') === name)) {
      expect([
        name,
        Object.keys(labelsOf(line))
          .filter((label) => label !== 'le')
          .toSorted(),
      ]).toEqual([name, labels.toSorted()])
    }
  }
})

describe('expressions of rules and dashboards', () => {
  test('there are many, and each names a metric', () => {
    expect(expressions().length).toBeGreaterThan(100)
    expect(expressions().filter(({ expr }) => selectorsOf(expr).length === 0)).toEqual([])
  })

  test('each selector is met by a series', () => {
    const records = new Set(rules().flatMap(({ record }) => (record === undefined ? [] : [record])))
    const unmet = expressions().flatMap(({ where, expr }) =>
      selectorsOf(expr)
        .filter(({ metric }) => metric !== 'up' && !records.has(metric))
        .filter((one) => !lines.some((line) => nameOf(line) === one.metric && isMet(one, labelsOf(line))))
        .map(({ metric }) => `${where}: ${metric}`),
    )
    expect(unmet).toEqual([])
  })

  test('each label that is asked for, or grouped by, is one of the metrics in the expression', () => {
    const odd = expressions().flatMap(({ where, expr }) => {
      const selectors = selectorsOf(expr)
      const known = new Set(['job', 'instance'])
      for (const { metric } of selectors) {
        const line = lines.find((one) => nameOf(one) === metric)
        for (const label of Object.keys(labelsOf(line ?? ''))) known.add(label)
      }
      const named = [...groupingsOf(expr), ...selectors.flatMap(({ matchers }) => matchers.map(({ label }) => label))]
      return named.filter((label) => !known.has(label)).map((label) => `${where}: ${label}`)
    })
    expect(odd).toEqual([])
  })

  test('every metric of ours is on a dashboard', () => {
    const shown = new Set(expressions().flatMap(({ expr }) => selectorsOf(expr).map(({ metric }) => metric)))
    const missing = described
      .map(({ name }) => name)
      .filter((name) => !['', '_bucket', '_sum', '_count'].some((suffix) => shown.has(name + suffix)))
    expect(missing).toEqual([
      'sealgate_config_last_reload_success_timestamp_seconds',
      'nodejs_heap_size_total_bytes',
      'nodejs_external_memory_bytes',
      'nodejs_eventloop_lag_mean_seconds',
      'nodejs_eventloop_lag_max_seconds',
    ])
  })
})

describe('alerts', () => {
  const alerts = rules().filter(({ alert }) => alert !== undefined)

  test('each has a severity, words, and a paragraph of docs/operations.md that it leads to', () => {
    const anchors = new Set(
      [...readFileSync('docs/operations.md', 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title.toLowerCase(),
      ),
    )
    for (const { alert = '', labels, annotations } of alerts) {
      expect(['page', 'ticket', 'info']).toContain(labels?.['severity'])
      expect(annotations?.['summary']).toBeTruthy()
      const url = annotations?.['runbook_url'] ?? ''
      expect(url).toBe(`https://sealgate.example/docs/operations.md#${alert.toLowerCase()}`)
      expect(anchors).toContain(alert.toLowerCase())
    }
  })

  test('each has a test in which it fires, and no two have one name', () => {
    const tests = ['sealgate', 'sealgate-days'].map((name) =>
      readFileSync(`deploy/prometheus/tests/${name}.test.yml`, 'utf8'),
    )
    const names = alerts.map(({ alert = '' }) => alert)
    expect(names.filter((name) => !tests.join('').includes(`{alertname="${name}"}`))).toEqual([])
    expect(new Set(names).size).toBe(names.length)
  })
})

test('the dashboards and the table of metrics are as the code makes them: npm run docs', () => {
  for (const [path, text] of Object.entries(dashboardFiles())) expect(readFileSync(path, 'utf8')).toBe(text)
  const document = readFileSync('docs/observability.md', 'utf8')
  expect(document).toBe(withMetrics(document))
})
