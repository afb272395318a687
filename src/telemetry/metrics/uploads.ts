import { Counter, Gauge, type Registry } from 'prom-client'
import { uploadsSeen } from '../channels.ts'

/** Multipart uploads, as the hourly look at them finds them. */
export function countUploads(registry: Registry): readonly (() => void)[] {
  const open = new Gauge({
    registers: [registry],
    name: 'sealgate_uploads_open',
    help: 'Multipart uploads that clients may go on with, at the last hourly look.',
    aggregator: 'max',
  })
  const stuck = new Gauge({
    registers: [registry],
    name: 'sealgate_uploads_abandoned',
    help: 'Abandoned multipart uploads, and what crashes left of some, that the last hourly look met and could not delete.',
    aggregator: 'max',
  })
  const collected = new Counter({
    registers: [registry],
    labelNames: ['kind'],
    name: 'sealgate_uploads_collected_total',
    help: 'Multipart uploads deleted because their clients had gone (abandoned), and what crashes left of some (leftover).',
  })
  return [
    uploadsSeen.subscribe((event) => {
      // A run that broke off has not seen all of them.
      if (event.complete) open.set(event.open)
      stuck.set(event.stuck)
      collected.inc({ kind: 'abandoned' }, event.abandoned)
      collected.inc({ kind: 'leftover' }, event.leftovers)
    }),
  ]
}
