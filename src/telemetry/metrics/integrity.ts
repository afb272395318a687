/** Stored data that is not what was written. */
import { Counter, type Registry } from 'prom-client'
import { Integrity, INTEGRITY_LAYERS, type IntegrityLayer } from '../../errors.ts'
import { alarm, requestDone } from '../channels.ts'

/** Longer than any chain of causes of ours. */
const MOST_CAUSES = 8

export function countIntegrity(registry: Registry): readonly (() => void)[] {
  const failures = new Counter({
    registers: [registry],
    labelNames: ['kind', 'met'],
    name: 'sealgate_integrity_failures_total',
    help: 'Stored data that is not what was written, or does not open, by the layer that refused it, and met by a request or in the background.',
  })
  // A counter that begins with its first failure does not rise, and nobody is told.
  for (const layer of INTEGRITY_LAYERS) {
    for (const met of ['request', 'background']) failures.inc({ kind: kindOf(layer), met }, 0)
  }
  const count = (cause: unknown, met: string): void => {
    const layer = cause === undefined ? undefined : layerOf(cause)
    if (layer !== undefined) failures.inc({ kind: kindOf(layer), met })
  }
  return [
    requestDone.subscribe(({ cause }) => count(cause, 'request')),
    alarm.subscribe(({ cause }) => count(cause, 'background')),
  ]
}

const kindOf = (layer: IntegrityLayer): string => layer.replace(' ', '-')

function layerOf(error: unknown): IntegrityLayer | undefined {
  let at = error
  for (let depth = 0; depth < MOST_CAUSES && at instanceof Error; depth += 1) {
    if (at instanceof Integrity) return at.layer
    at = at.cause
  }
  return undefined
}
