/** Which records of rotations this process believes (docs/format.md, "Rotation"): the state store is not trusted. */
import type { Rotation, RotationDocument } from '../../state/rotation-record.ts'
import type { FoundRotation } from '../../state/rotation-store.ts'

/** What the settings of this process say, which is what everything else is measured by. */
export interface SettingsOfKeys {
  /** The manager that seals where nothing else is said. */
  readonly active: string
  /** All that the settings seal by: `active`, and those of buckets. */
  readonly used: ReadonlySet<string>
  /** Managers under which nothing is sealed, whatever a record says. */
  readonly retired: ReadonlySet<string>
}

/** Remembers what was believed: a record that was replaced does not come back while this process lives. */
export class Trust {
  readonly #settings: SettingsOfKeys
  #sequence = -1
  /** The manager that has to have sealed whatever follows. */
  #anchor: string | undefined

  constructor(settings: SettingsOfKeys) {
    this.#settings = settings
  }

  /** Whether a record was believed before. */
  get hasSeen(): boolean {
    return this.#anchor !== undefined
  }

  /** Why a record is not believed; `undefined` if it is, and is then what later ones are measured by. */
  doubt({ document, guards }: FoundRotation): string | undefined {
    const seals = new Set(guards.map(({ alias }) => alias))
    const { rotation, sequence } = document
    if (rotation !== null && [...seals].some((alias) => !namedBy(rotation).includes(alias))) {
      return 'it is sealed by managers that it is not about'
    }
    if (sequence < this.#sequence) return 'it is older than one that was in effect'
    if (this.#anchor !== undefined && !seals.has(this.#anchor)) {
      return `it is not sealed by "${this.#anchor}", which wrapped before it`
    }
    if (![...seals].some((alias) => this.#settings.used.has(alias))) {
      return 'it is sealed by no manager that the settings seal by'
    }
    this.#sequence = sequence
    this.#anchor = sayOver(document, this.#settings.active)
    return undefined
  }
}

/** The manager by which whatever follows has to be sealed. Before the cut-over, and after an abort, it is the old one; then the new one; and where neither had the say before, it stays with who had. */
export function sayOver({ rotation }: RotationDocument, active: string): string {
  if (rotation === null) return active
  if (rotation.witness !== null) return rotation.witness
  return rotation.phase === 'aborted' || rotation.phase === 'draining' ? rotation.from : rotation.to
}

const namedBy = ({ from, to, witness }: Rotation): readonly string[] => [
  ...new Set([from, to, ...(witness === null ? [] : [witness])]),
]

/** Managers by which the record has to be sealed: once it is done the old one only for settings that have not followed. */
export function sealersOf(rotation: Rotation, { used }: SettingsOfKeys): readonly string[] {
  const { from, to, phase } = rotation
  const isLeft = phase === 'done' && from !== to && !used.has(from)
  return namedBy(rotation).filter((alias) => alias !== from || !isLeft)
}
