/** Looks into one process of the gateway while it runs: for who looks for what makes it slow or large. */
import { z } from 'zod'
import { Unavailable } from '../errors.ts'
import { Content, onePiece } from './content.ts'
import type { Profiler, TimedKind } from './profiler.ts'
import { AdminRefusal } from './refusal.ts'
import { NONE, type Route, route } from './route.ts'
import type { AdminWorld } from './world.ts'

const MOST_SECONDS = 60
/** While a snapshot is taken the process stands still, for about a second for each 100 MiB, and needs as much memory again. */
const MOST_SNAPSHOT_BYTES = 1_024 ** 3

const worker = z.coerce
  .number('write a whole number')
  .int('write a whole number')
  .min(1)
  .max(256)
  .default(1)
  .describe('Which of the worker processes: 1 is the one that has run longest.')

const timedQuery = z.strictObject({
  seconds: z.coerce
    .number('write a whole number')
    .int('write a whole number')
    .min(1)
    .max(MOST_SECONDS)
    .default(10)
    .describe('For how long; the answer comes then.'),
  worker,
})

const PPROF = { type: 'application/octet-stream', suffix: 'pb.gz' }
const TRACE = { type: 'application/gzip', suffix: 'json.gz' }

const common = {
  method: 'GET',
  params: NONE,
  body: NONE,
  refusals: ['NotFound', 'Conflict'],
  alone: true,
} as const

function timed(kind: TimedKind, operation: string, summary: string, { type, suffix } = PPROF): Route {
  return route({
    ...common,
    operation,
    path: `/v1/profile/${kind}`,
    summary,
    query: timedQuery,
    content: type,
    worker: ({ query }) => query.worker,
    target: ({ query: { seconds, worker: of } }) => `${kind} of worker ${of}, ${seconds} s`,
    run: async (world, { query: { seconds, worker: of } }) => {
      const profiler = profilerOf(world)
      const bytes = await profiler.take(kind, seconds * 1_000, world.signal).catch((error: unknown) => {
        if (world.signal.aborted) throw new Unavailable('the gateway stops')
        throw error
      })
      return new Content(type, `sealgate-${kind}-${of}.${suffix}`, onePiece(bytes))
    },
  })
}

export const PROFILE_ROUTES: readonly Route[] = [
  timed('cpu', 'profileCpu', 'Where the process spends its time while something runs, gzipped in the format of pprof.'),
  timed('wall', 'profileWall', 'The same with the time in which nothing runs, as `(idle)`.'),
  timed(
    'heap',
    'profileHeap',
    'Who has allocated, in these seconds, what is still in use at their end: of the JavaScript heap, in the format of pprof.',
  ),
  timed(
    'event-loop',
    'traceEventLoop',
    'Phases of the event loop, pauses for garbage collection, and how late the loop is: a trace in JSON, gzipped, for Perfetto.',
    TRACE,
  ),
  route({
    ...common,
    operation: 'snapshotHeap',
    path: '/v1/profile/heap-snapshot',
    summary: `Everything on the JavaScript heap, SECRETS TOO, gzipped, for Chrome's developer tools. The process stands still meanwhile; a heap of more than ${MOST_SNAPSHOT_BYTES / 1_024 ** 3} GiB is refused.`,
    query: z.strictObject({ worker }),
    content: TRACE.type,
    worker: ({ query }) => query.worker,
    target: ({ query }) => `heap snapshot of worker ${query.worker}`,
    run: async (world, { query }) => {
      const profiler = profilerOf(world)
      if ((await profiler.heapBytes()) > MOST_SNAPSHOT_BYTES) {
        throw new AdminRefusal('Conflict', 'The heap is too large for a snapshot: take a heap profile.')
      }
      return new Content(TRACE.type, `sealgate-heap-${query.worker}.heapsnapshot.gz`, profiler.snapshot())
    },
  }),
]

function profilerOf({ profiler }: AdminWorld): Profiler {
  const found = profiler()
  if (found !== undefined) return found
  throw new AdminRefusal(
    'NotConfigured',
    'Profiling is off: set admin.profiling, and it is on from the next request on.',
  )
}
