import { Gauge, type Registry } from 'prom-client'
import { ROTATION_PHASES, rotationSeen } from '../channels.ts'

/** The last rotation of master keys, as this process sees it. */
export function showRotation(registry: Registry): readonly (() => void)[] {
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
