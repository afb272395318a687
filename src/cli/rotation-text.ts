import type { RotationStatus } from '../jobs/rotation.ts'

/** One rotation in a line. */
export function rotationText(rotation: RotationStatus): string {
  const { from, to, phase, stalled, total, examined, failed, rate, secondsLeft } = rotation
  const what = from === to ? `rotation of "${from}"` : `rotation from "${from}" to "${to}"`
  const counts =
    total === 0 ? '' : `, ${examined} of ${total} keys looked at${failed === 0 ? '' : `, ${failed} failed`}`
  const pace = rate === undefined ? '' : `, ${rate} keys/s, ${secondsLeft} s left`
  return `${what}: ${phase}${counts}${pace}${until(rotation)}${stalled === undefined ? '' : `; it waits: ${stalled}`}`
}

function until({ phase, drainDeadline, dualReadDeadline, ended }: RotationStatus): string {
  if (phase === 'draining') return `, gateways answer until ${drainDeadline}`
  if (phase === 'dual-read') return `, the old manager is asked until ${dualReadDeadline}`
  return ended === undefined ? '' : `, ended ${ended}`
}
