/** What the event loop does, as a trace that Perfetto and Chrome's tracing open: its phases, the collector's pauses, and how late it is. */
import type { NodeTracing } from 'node:inspector'
import type { Session } from 'node:inspector/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** Phases of the loop, garbage collection and the like. None that names files, hosts or requests. */
const CATEGORIES = ['node.environment', 'v8']
/** What would name the process and what it runs on. */
const LEFT_OUT = new Set(['node', 'process_name'])
/** Events kept: some 30 MB of text. */
const MOST_EVENTS = 200_000
const WINDOW_MILLISECONDS = 100
const RESOLUTION_MILLISECONDS = 5

interface TraceEvent {
  readonly name?: string
  readonly [field: string]: unknown
}

export async function eventLoopTrace(session: Session, milliseconds: number, signal: AbortSignal): Promise<string> {
  const events: TraceEvent[] = []
  let untold = 0
  session.on('NodeTracing.dataCollected', ({ params }: { params: NodeTracing.DataCollectedEventDataType }) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- V8 writes objects of the trace event format
    for (const event of params.value as TraceEvent[]) {
      if (LEFT_OUT.has(event.name ?? '')) continue
      if (events.length < MOST_EVENTS) events.push(event)
      else untold += 1
    }
  })
  await session.post('NodeTracing.start', {
    traceConfig: { recordMode: 'recordContinuously', includedCategories: CATEGORIES },
  })
  const complete = new Promise<void>((resolve) => session.once('NodeTracing.tracingComplete', () => resolve()))
  const delays: TraceEvent[] = []
  try {
    await measureDelays(delays, milliseconds, signal)
  } finally {
    await session.post('NodeTracing.stop')
    await complete
  }
  return JSON.stringify({ traceEvents: [...delays, ...events], otherData: { eventsLeftOut: untold } })
}

/** A counter beside the phases, several times a second. */
async function measureDelays(into: TraceEvent[], milliseconds: number, signal: AbortSignal): Promise<void> {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MILLISECONDS })
  histogram.enable()
  const end = performance.now() + milliseconds
  try {
    while (performance.now() < end) {
      await sleep(Math.min(WINDOW_MILLISECONDS, Math.max(1, end - performance.now())), undefined, { signal })
      // Of the timer that measures, its own interval is no delay.
      const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MILLISECONDS)
      into.push({
        name: 'event loop delay (ms)',
        ph: 'C',
        pid: process.pid,
        tid: process.pid,
        ts: Number(process.hrtime.bigint() / 1_000n),
        args: histogram.count === 0 ? {} : { p50: late(histogram.percentile(50)), max: late(histogram.max) },
      })
      histogram.reset()
    }
  } finally {
    histogram.disable()
  }
}
