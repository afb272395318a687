import type { RandomSource } from '../../format/derive.ts'
import type { KeyManager } from '../../keys/key-manager.ts'
import type { StateKeyring } from '../../state/keyring.ts'
import type { Replicas } from '../../state/replicas.ts'
import type { RotationStore } from '../../state/rotation-store.ts'
import type { SettingsOfKeys, Trust } from './trust.ts'

/** What rotations need of the process that begins or drives them. */
export interface RotationsParts {
  readonly store: RotationStore
  readonly replicas: Replicas
  readonly keyring: StateKeyring
  readonly managers: ReadonlyMap<string, KeyManager>
  readonly settings: SettingsOfKeys
  readonly trust: Trust
  /** Names this process to others. */
  readonly process: string
  /** Milliseconds: until all gateways have to have answered, in which the old manager is still asked, between two looks of a gateway. */
  readonly times: { readonly drain: number; readonly dualRead: number; readonly poll: number }
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly random: RandomSource
}
