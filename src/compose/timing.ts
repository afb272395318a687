import { setTimeout as sleep } from 'node:timers/promises'
import type { Timing } from '../attempts.ts'

/** What waiting and its jitter are made of. */
export function timingOf({
  clock,
  random,
}: {
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** The system's CSPRNG. */
  readonly random: (bytes: number) => Buffer
}): Timing {
  return {
    now: clock,
    random: () => random(4).readUInt32BE() / 2 ** 32,
    sleep: (milliseconds, signal) => sleep(milliseconds, undefined, signal === undefined ? {} : { signal }),
  }
}
