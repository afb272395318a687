/** What its operations work on. */
import type { KeyringCount } from '../jobs/count-keyring.ts'
import type { AdminParts } from './parts.ts'
import type { RewrapRun } from './rewrap-run.ts'

export interface AdminWorld extends AdminParts {
  /** Reads the whole keyring; whoever asks meanwhile gets the same answer. */
  readonly countKeyring: () => Promise<KeyringCount>
  readonly rewrap: RewrapRun
  /** Aborts when the process ends. */
  readonly signal: AbortSignal
}
