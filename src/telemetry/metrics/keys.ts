/** Bucket keys that are open, and calls of the key managers that open them. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { KEY_CACHE_EVENTS, keyCache, keyCacheSize, keyCall, keyFailover, keyManager } from '../channels.ts'
import { FastCounter } from './fast.ts'

export function countKeys(registry: Registry): readonly (() => void)[] {
  // Every request looks for a key.
  const cache = new FastCounter(registry, {
    labels: ['event'],
    name: 'sealgate_key_cache_total',
    help: 'Looks for an open bucket key that were a hit, a miss, or stale (used although old, because its key manager is away), what a key manager opened that was rejected because it is another key, and keys evicted for want of room.',
  })
  // A counter that begins with its first event does not rise, and nobody is told.
  for (const event of KEY_CACHE_EVENTS) cache.cell(event)
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
  let oldest = (): number => 0
  const age: Gauge = new Gauge({
    registers: [registry],
    name: 'sealgate_key_cache_oldest_seconds',
    help: 'For how long that open bucket key has been open which was opened first; 0 without any.',
    aggregator: 'max',
    collect: () => age.set(oldest() / 1_000),
  })
  const failover = new Counter({
    registers: [registry],
    labelNames: ['manager'],
    name: 'sealgate_key_failover_total',
    help: 'How often this key manager stood in for the active one, which does not answer: at most once in 5 seconds for each bucket.',
  })
  return [
    keyCacheSize.subscribe((event) => {
      entries.set(event.entries)
      oldest = event.oldest
    }),
    keyFailover.subscribe(({ manager }) => failover.inc({ manager })),
    keyCache.subscribe(({ event }) => {
      cache.cell(event).value += 1
    }),
    keyManager.subscribe(({ manager, state }) => breaker.set({ manager }, state === 'closed' ? 0 : 1)),
    ...countKeyCalls(registry),
  ]
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
