/** Objects that lie in plaintext at the backend, in buckets that allow it. */
import { Counter, Gauge, type Registry } from 'prom-client'
import { type PlaintextLeftEvent, plaintextLeft, plaintextSeen } from '../channels.ts'
import type { BucketLabels } from './bucket-label.ts'

/** Buckets whose counts are kept; a hundred times what one would configure. */
const MOST_BUCKETS = 10_000

export function countPlaintext(registry: Registry, labels: BucketLabels): readonly (() => void)[] {
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
  const found = new Map<string, PlaintextLeftEvent>()
  return [
    plaintextSeen.subscribe(({ bucket }) => seen.inc({ bucket: labels.of(bucket) })),
    plaintextLeft.subscribe((event) => {
      if (found.size >= MOST_BUCKETS && !found.has(event.bucket)) return
      found.set(event.bucket, event)
      // Buckets without a label of their own are one sum.
      const label = labels.of(event.bucket)
      const all =
        label === event.bucket ? [event] : [...found.values()].filter((one) => labels.of(one.bucket) === label)
      left.set({ bucket: label }, sum(all.map(({ plain }) => plain)))
      examined.set({ bucket: label }, sum(all.map((one) => one.examined)))
    }),
    () => found.clear(),
  ]
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
