/** Calls of the stores, and the attempts that those of an S3 store are made of. */
import type { Registry } from 'prom-client'
import { storeAttempt, storeCall } from '../channels.ts'
import { FastCounter, FastHistogram } from './fast.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]

export function countStoreCalls(registry: Registry): readonly (() => void)[] {
  const calls = new FastCounter(registry, {
    name: 'sealgate_store_calls_total',
    help: 'Calls of a store: refused, it said no as it may; unavailable, it did not answer or could not; failed, a bug.',
    labels: ['store', 'call', 'outcome'],
  })
  const seconds = new FastHistogram(registry, {
    name: 'sealgate_store_call_seconds',
    help: 'How long calls of a store took, all attempts together; of get to the head of its answer, of put without waiting for the client.',
    labels: ['store', 'call'],
    bounds: SECONDS,
  })
  const attempts = new FastCounter(registry, {
    name: 'sealgate_store_attempts_total',
    help: 'Requests sent to an S3 store, by what came of them: answered, refused, or unanswered.',
    labels: ['store', 'outcome'],
  })
  const retries = new FastCounter(registry, {
    name: 'sealgate_store_retries_total',
    help: 'Requests sent to an S3 store anew: it did not answer (unanswered), asked for it (transient), or something of ours was put right (credentials, region, clock).',
    labels: ['store', 'reason'],
  })
  return [
    storeCall.subscribe(({ store, call, outcome, milliseconds }) => {
      calls.cell(store, call, outcome).value += 1
      seconds.cell(store, call).observe(milliseconds / 1_000)
    }),
    storeAttempt.subscribe(({ store, outcome, again }) => {
      attempts.cell(store, outcome).value += 1
      if (again !== undefined) retries.cell(store, again).value += 1
    }),
  ]
}
