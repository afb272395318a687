/** Looks into this process while it runs. Everything is loaded when it is first asked for. */
import type { Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createGzip, constants, gzip } from 'node:zlib'
import type * as format from 'pprof-format'
import { eventLoopTrace } from './event-loop.ts'
import { heapProfile, type Taken, timeProfile } from './pprof.ts'

export type ProfileKind = 'cpu' | 'wall' | 'heap' | 'event-loop'

/** Of the time profiles. */
const INTERVAL_MICROSECONDS = 1_000
/** Of the heap profile: one allocation in so many bytes is looked at. */
const INTERVAL_BYTES = 128 * 1_024

interface Asked {
  readonly kind: ProfileKind
  readonly milliseconds: number
  /** Ends it early, with its reason. */
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly pprof: () => Promise<typeof format>
}

/** The profile, gzipped. */
export async function takeProfile({ kind, milliseconds, signal, clock, pprof }: Asked): Promise<Buffer> {
  const { Session: Inspector } = await import('node:inspector/promises')
  const session = new Inspector()
  session.connect()
  const taken: Taken = { at: clock(), milliseconds }
  try {
    if (kind === 'event-loop') return await promisify(gzip)(await eventLoopTrace(session, milliseconds, signal))
    if (kind === 'heap') return await sampleHeap(session, taken, signal, await pprof())
    return await sampleTime(session, { wall: kind === 'wall', taken, signal, pprof: await pprof() })
  } finally {
    // Whatever was begun ends with it.
    session.disconnect()
  }
}

interface TimeSampling {
  readonly wall: boolean
  readonly taken: Taken
  readonly signal: AbortSignal
  readonly pprof: typeof format
}

async function sampleTime(session: Session, { wall, taken, signal, pprof }: TimeSampling): Promise<Buffer> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROSECONDS })
  await session.post('Profiler.start')
  await sleep(taken.milliseconds, undefined, { signal })
  const { profile } = await session.post('Profiler.stop')
  return timeProfile(pprof, profile, { wall, taken, intervalMicroseconds: INTERVAL_MICROSECONDS })
}

async function sampleHeap(session: Session, taken: Taken, signal: AbortSignal, pprof: typeof format): Promise<Buffer> {
  await session.post('HeapProfiler.startSampling', { samplingInterval: INTERVAL_BYTES })
  await sleep(taken.milliseconds, undefined, { signal })
  const { profile } = await session.post('HeapProfiler.stopSampling')
  return heapProfile(pprof, profile, { taken, intervalBytes: INTERVAL_BYTES })
}

/** Bytes of the heap that are in use. */
export async function heapBytes(): Promise<number> {
  const { getHeapStatistics } = await import('node:v8')
  return getHeapStatistics().used_heap_size
}

/** The whole heap, gzipped piece by piece: what it holds, secrets too. The process stands still until it is taken. */
export async function* heapSnapshot(): AsyncGenerator<Uint8Array> {
  const { getHeapSnapshot } = await import('node:v8')
  const snapshot = getHeapSnapshot()
  const pieces = snapshot.pipe(createGzip({ level: constants.Z_BEST_SPEED, chunkSize: PIECE_BYTES }))
  snapshot.on('error', (error) => pieces.destroy(error))
  try {
    yield* pieces
  } finally {
    // Leaving early must give back what it holds.
    snapshot.destroy()
    pieces.destroy()
  }
}

const PIECE_BYTES = 64 * 1_024
