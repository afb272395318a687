/**
 * The process, under the names that dashboards for Node.js expect. Not prom-client's own set: that wakes an idle process a hundred
 * times a second, lists every handle with each scrape, and means percentiles of several processes.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'
import { FastCounter } from './fast.ts'
import type { Aggregator } from './snapshot.ts'

/** Milliseconds between two looks at the event loop. */
const LOOK_MILLISECONDS = 50

/** Begins to look at the event loop. Returns what stops it. */
export function showProcess(registry: Registry): readonly (() => void)[] {
  const gauges = gaugesOf(registry)
  const cpu = new FastCounter(registry, {
    name: 'process_cpu_seconds_total',
    help: 'Time of processors that was used, in user and system mode together.',
    labels: [],
  })
  const loop = new FastCounter(registry, {
    name: 'nodejs_eventloop_time_seconds_total',
    help: 'Time that the event loop was at work (active), or had nothing to do (idle).',
    labels: ['state'],
  })
  const delay = monitorEventLoopDelay({ resolution: LOOK_MILLISECONDS })
  delay.enable()
  gauges.collect(() => {
    const { user, system } = process.cpuUsage()
    cpu.cell().value = (user + system) / 1e6
    const { active, idle } = performance.eventLoopUtilization()
    loop.cell('active').value = active / 1_000
    loop.cell('idle').value = idle / 1_000
    // It measures from look to look: what is above the time between them is delay.
    const lag = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - LOOK_MILLISECONDS / 1_000) || 0
    gauges.set('nodejs_eventloop_lag_mean_seconds', lag(delay.mean))
    gauges.set('nodejs_eventloop_lag_p99_seconds', lag(delay.percentile(99)))
    gauges.set('nodejs_eventloop_lag_max_seconds', lag(delay.max))
    delay.reset()
    const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage()
    gauges.set('process_resident_memory_bytes', rss)
    gauges.set('nodejs_heap_size_total_bytes', heapTotal)
    gauges.set('nodejs_heap_size_used_bytes', heapUsed)
    gauges.set('nodejs_external_memory_bytes', external)
    gauges.set('nodejs_array_buffers_bytes', arrayBuffers)
    const [open, most] = openFiles()
    gauges.set('process_open_fds', open)
    gauges.set('process_max_fds', most)
    gauges.set('process_start_time_seconds', performance.timeOrigin / 1_000)
  })
  return [() => delay.disable()]
}

const GAUGES = [
  ['process_start_time_seconds', 'When the process was started, in seconds since 1970.', 'min'],
  ['process_resident_memory_bytes', 'Memory that is resident, of all processes together.', 'sum'],
  ['process_open_fds', 'Open file descriptors.', 'sum'],
  ['process_max_fds', 'Most file descriptors that may be open.', 'sum'],
  ['nodejs_heap_size_total_bytes', 'Size of the heap.', 'sum'],
  ['nodejs_heap_size_used_bytes', 'Used size of the heap.', 'sum'],
  ['nodejs_external_memory_bytes', 'Memory outside the heap that objects in it hold, buffers for instance.', 'sum'],
  ['nodejs_array_buffers_bytes', 'Of that: buffers.', 'sum'],
  [
    'nodejs_eventloop_lag_mean_seconds',
    'Mean delay of the event loop since the last scrape, of the worst process.',
    'max',
  ],
  ['nodejs_eventloop_lag_p99_seconds', '99th percentile of it, of the worst process.', 'max'],
  ['nodejs_eventloop_lag_max_seconds', 'Greatest of them, of the worst process.', 'max'],
] as const satisfies readonly (readonly [name: string, help: string, aggregator: Aggregator])[]

type Name = (typeof GAUGES)[number][0]

function gaugesOf(registry: Registry) {
  const gauges = new Map<Name, Gauge>()
  let collect = (): void => undefined
  for (const [name, help, aggregator] of GAUGES) {
    // One look for all of them: a registry asks its metrics in the order in which they were made.
    const first = gauges.size === 0 ? { collect: () => collect() } : {}
    gauges.set(name, new Gauge({ registers: [registry], name, help, aggregator, ...first }))
  }
  return {
    collect: (look: () => void): void => {
      collect = look
    },
    set: (name: Name, value: number): void => gauges.get(name)?.set(value),
  }
}

/** Where the system tells. */
function openFiles(): readonly [open: number, most: number] {
  try {
    const most = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    // One of them is the folder that is being read.
    return [readdirSync('/proc/self/fd').length - 1, Number(most ?? 0)]
  } catch {
    return [0, 0]
  }
}
