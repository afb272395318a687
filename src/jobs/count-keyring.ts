/** How many bucket keys each key manager has wrapped: what needs whom. */
import type { StateKeyring } from '../state/keyring.ts'

export interface KeyringTally {
  readonly active: number
  readonly retired: number
  /** When its oldest key was made, in milliseconds since 1970; absent if it has none. */
  readonly oldest?: number
}

export interface KeyringCount {
  /** By the alias of the manager, in order; those of `aliases` are there also without a key. */
  readonly managers: ReadonlyMap<string, KeyringTally>
  /** What lies in the place of a record and is none. */
  readonly unreadable: number
}

/** Reads every record of the keyring. Throws `Unavailable` if it does not answer, and the signal's reason. */
export async function countKeyring(
  keyring: Pick<StateKeyring, 'entries'>,
  aliases: Iterable<string>,
  signal?: AbortSignal,
): Promise<KeyringCount> {
  const tallies = new Map<string, KeyringTally>([...aliases].map((alias) => [alias, NONE]))
  let unreadable = 0
  for await (const entries of keyring.entries(signal)) {
    for (const { record } of entries) {
      if (record === undefined) {
        unreadable += 1
        continue
      }
      const { alias, status, created } = record
      const tally = tallies.get(alias) ?? NONE
      const oldest = Math.min(tally.oldest ?? created, created)
      tallies.set(alias, { ...tally, [status]: tally[status] + 1, oldest })
    }
  }
  return { managers: new Map([...tallies].sort(([a], [b]) => (a < b ? -1 : 1))), unreadable }
}

const NONE: KeyringTally = { active: 0, retired: 0 }
