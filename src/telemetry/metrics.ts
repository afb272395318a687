/** Metrics in Prometheus' text format, fed by the channels. */
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client'
import {
  keyCache,
  keyCacheSize,
  keyCall,
  keyFailover,
  keyManager,
  linesLost,
  plaintextLeft,
  plaintextSeen,
  ROTATION_PHASES,
  rotationSeen,
} from './channels.ts'

export interface Metrics {
  readonly contentType: string
  readonly text: () => Promise<string>
  readonly stop: () => void
}

/** Bucket names that become labels; further ones are counted together. */
const BUCKET_LABELS = 200
const OTHER = 'other'

/** What this process has to tell. `worker`: it also answers the primary of its cluster, see `clusterMetrics`. */
export function collectMetrics({ worker = false }: { readonly worker?: boolean } = {}): Metrics {
  const registry = new Registry()
  const shared = { labelNames: ['bucket'] as const, registers: [registry] }
  const left = new Gauge({
    ...shared,
    name: 'sealgate_plaintext_objects',
    help: 'Objects that lie in plaintext at the store, of those that sealgate_plaintext_examined_objects counts; buckets of mixed contents only.',
    aggregator: 'max',
  })
  const examined = new Gauge({
    ...shared,
    name: 'sealgate_plaintext_examined_objects',
    help: 'Objects looked at for plaintext in the last hourly run: the first 10,000 of a bucket of mixed contents.',
    aggregator: 'max',
  })
  const seen = new Counter({
    ...shared,
    name: 'sealgate_plaintext_seen_total',
    help: 'How often a read or a listing met an object that lies in plaintext at the store.',
  })
  const label = boundedLabel()
  const stops = [
    ...countKeys(registry),
    ...countKeyCalls(registry),
    ...showRotation(registry),
    countLostLines(registry),
    plaintextSeen.subscribe(({ bucket }) => seen.inc({ bucket: label(bucket) })),
    plaintextLeft.subscribe((event) => {
      const labels = { bucket: label(event.bucket) }
      left.set(labels, event.plain)
      examined.set(labels, event.examined)
    }),
  ]
  // In a worker its constructor begins to answer the primary's questions.
  const answering = worker ? new AggregatorRegistry() : undefined
  if (answering !== undefined) AggregatorRegistry.setRegistries([registry])
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    stop: () => {
      for (const stop of stops) stop()
    },
  }
}

function countLostLines(registry: Registry): () => void {
  const lost = new Counter({
    registers: [registry],
    labelNames: ['log', 'sink'],
    name: 'sealgate_log_lines_lost_total',
    help: 'Lines of the access or audit log that were not written, by where they should have gone: `file` is the audit log itself, others are what it is sent to.',
  })
  return linesLost.subscribe(({ log, sink, lines }) => lost.inc({ log, sink }, lines))
}

function countKeys(registry: Registry): readonly (() => void)[] {
  const cache = new Counter({
    registers: [registry],
    labelNames: ['event'],
    name: 'sealgate_key_cache_total',
    help: 'Looks for an open bucket key that were a hit, a miss, or stale (used although old, because its key manager is away), what a key manager opened that was rejected because it is another key, and keys evicted for want of room.',
  })
  const breaker = new Gauge({
    registers: [registry],
    labelNames: ['manager'],
    name: 'sealgate_key_manager_open',
    help: '1 while a key manager has not answered and is not asked (the circuit breaker is open or tries), 0 otherwise.',
    aggregator: 'max',
  })
  const entries = new Gauge({
    registers: [registry],
    name: 'sealgate_key_cache_entries',
    help: 'Open bucket keys kept, of at most keys.cache.entries in each worker.',
  })
  const failover = new Counter({
    registers: [registry],
    labelNames: ['manager'],
    name: 'sealgate_key_failover_total',
    help: 'How often this key manager stood in for the active one, which does not answer: at most once in 5 seconds for each bucket.',
  })
  return [
    keyCacheSize.subscribe((event) => entries.set(event.entries)),
    keyFailover.subscribe(({ manager }) => failover.inc({ manager })),
    keyCache.subscribe(({ event }) => cache.inc({ event })),
    keyManager.subscribe(({ manager, state }) => breaker.set({ manager }, state === 'closed' ? 0 : 1)),
  ]
}

function showRotation(registry: Registry): readonly (() => void)[] {
  const shared = { registers: [registry], aggregator: 'max' as const }
  const phase = new Gauge({
    ...shared,
    labelNames: ['phase'],
    name: 'sealgate_rotation_phase',
    help: '1 for the phase of the last rotation of master keys, 0 for the others.',
  })
  const stalled = new Gauge({
    ...shared,
    labelNames: ['to'],
    name: 'sealgate_rotation_stalled',
    help: '1 while a rotation of master keys waits for somebody to look at it.',
  })
  const keys = new Gauge({
    ...shared,
    labelNames: ['outcome'],
    name: 'sealgate_rotation_keys',
    help: 'Bucket keys of the keyring in the last rotation: total, examined, rewrapped, failed.',
  })
  const stop = rotationSeen.subscribe((event) => {
    for (const one of ROTATION_PHASES) phase.set({ phase: one }, one === event.phase ? 1 : 0)
    stalled.set({ to: event.to }, event.stalled ? 1 : 0)
    for (const outcome of ['total', 'examined', 'rewrapped', 'failed'] as const) keys.set({ outcome }, event[outcome])
  })
  return [stop]
}

/** Seconds: from a token in this machine to what the longest timeout allows. */
const CALL_SECONDS = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

function countKeyCalls(registry: Registry): readonly (() => void)[] {
  const calls = new Counter({
    registers: [registry],
    labelNames: ['manager', 'call', 'outcome'],
    name: 'sealgate_key_calls_total',
    help: 'Calls of a key manager elsewhere, by what came of them; not-asked: the circuit breaker let nobody through.',
  })
  const seconds = new Histogram({
    registers: [registry],
    labelNames: ['manager'],
    name: 'sealgate_key_call_seconds',
    help: 'How long calls of a key manager elsewhere took that were made, answered or not.',
    buckets: CALL_SECONDS,
  })
  const answered = new Gauge({
    registers: [registry],
    labelNames: ['manager'],
    name: 'sealgate_key_manager_answered_timestamp_seconds',
    help: 'When a key manager elsewhere last did what it was asked, in seconds since 1970.',
    aggregator: 'max',
  })
  return [
    keyCall.subscribe(({ manager, call, outcome, milliseconds, at }) => {
      calls.inc({ manager, call, outcome })
      if (outcome !== 'not-asked') seconds.observe({ manager }, milliseconds / 1_000)
      if (outcome === 'ok') answered.set({ manager }, at / 1_000)
    }),
  ]
}

/** What all workers of this cluster have to tell, asked of each when somebody asks for it. */
export function clusterMetrics(): Metrics {
  const registry = new AggregatorRegistry()
  return { contentType: registry.contentType, text: () => registry.clusterMetrics(), stop: () => undefined }
}

function boundedLabel(): (bucket: string) => string {
  const known = new Set<string>()
  return (bucket) => {
    if (known.has(bucket)) return bucket
    if (known.size >= BUCKET_LABELS) return OTHER
    known.add(bucket)
    return bucket
  }
}
