/** What the admin API is given to work on. */
import type { ObjectStore } from '../backends/object-store.ts'
import type { Rotations } from '../jobs/rotation.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import type { Profiler } from './profiler.ts'
import type { AbandonedUploads } from '../state/abandoned-uploads.ts'
import type { StateKeyring } from '../state/keyring.ts'

export interface AdminParts {
  readonly keyring: StateKeyring
  /** By alias. */
  readonly managers: ReadonlyMap<string, KeyManager>
  /** The type of a manager, as the settings name it. */
  readonly typeOf: (alias: string) => string | undefined
  readonly rotations: Pick<Rotations, 'start' | 'current' | 'abort' | 'resume' | 'history' | 'succession' | 'retire'>
  readonly uploads: AbandonedUploads
  readonly store: Pick<ObjectStore, 'abortUpload'>
  /** See `cleanUploads`. */
  readonly abandonedAfter: () => number | false
  /** `undefined` while profiling is off. */
  readonly profiler: () => Profiler | undefined
  /** Milliseconds since 1970. */
  readonly clock: () => number
}
