/** What gateways know together of their key managers, and its JSON (docs/format.md, "Rotation"). Times are milliseconds since 1970. */
import { malformed } from './record-fields.ts'

export const PHASES = ['draining', 'rewrapping', 'dual-read', 'done', 'aborted'] as const
/**
 * `draining`: new keys are made by the new manager, and every gateway says that it has stopped to ask the old one for any.
 * `rewrapping`: all have, and the keyring is wrapped anew. `dual-read`: it is; the old manager is still asked for what the
 * keyring does not have. `done`: it is not.
 */
export type RotationPhase = (typeof PHASES)[number]

/** One way through the keyring. */
export interface RotationProgress {
  /** Records when it began. */
  readonly total: number
  readonly examined: number
  readonly rewrapped: number
  readonly failed: number
  /** What lies in the place of a record and is none. */
  readonly damaged: number
  /** The last kid examined, in hex; '' at the beginning. */
  readonly cursor: string
  /** When it began; `null` before. */
  readonly since: number | null
}

/** Aliases and who has taken their place. */
export type Moves = Readonly<Record<string, string>>

export interface Rotation {
  readonly id: string
  /** Alias of the manager that wrapped until now. */
  readonly from: string
  /** The same alias where its master key has a new version. */
  readonly to: string
  /** Alias of the manager that has the say over these records, if it is neither of them: it seals them too. */
  readonly witness: string | null
  readonly phase: RotationPhase
  /** Who asked for it. */
  readonly by: string
  readonly started: number
  /** When it goes no further unless all gateways have answered. */
  readonly drainDeadline: number
  readonly cutOver: number | null
  readonly dualReadDeadline: number | null
  readonly ended: number | null
  /** Id of the master key that has to wrap, of managers that hold theirs themselves. */
  readonly version: string | null
  /** Goes on without those that have not answered, and past keys that cannot be wrapped anew. */
  readonly forced: boolean
  /** Why it does not go on by itself, in words. */
  readonly stalled: string | null
  /** Not before. */
  readonly retryAt: number | null
  /** Who works at it now. */
  readonly lease: { readonly holder: string; readonly until: number } | null
  readonly progress: RotationProgress
  /** As they were before it. */
  readonly before: Moves
}

/** The one record that all follow. */
export interface RotationDocument {
  /** Never falls. */
  readonly sequence: number
  /** Grows where what processes remember of the keyring is no longer so. */
  readonly epoch: number
  readonly moves: Moves
  /** Managers under which nothing is sealed. */
  readonly retired: readonly string[]
  readonly rotation: Rotation | null
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isNumber: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value)
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const isMoves: Check = (value) => isObject(value) && Object.values(value).every(isText)
const has =
  (shape: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(shape).every(([name, check]) => check(value[name]))

const isRotation = has({
  id: isText,
  from: isText,
  to: isText,
  witness: orNull(isText),
  phase: (value) => PHASES.some((phase) => phase === value),
  by: isText,
  started: isNumber,
  drainDeadline: isNumber,
  cutOver: orNull(isNumber),
  dualReadDeadline: orNull(isNumber),
  ended: orNull(isNumber),
  version: orNull(isText),
  forced: (value) => typeof value === 'boolean',
  stalled: orNull(isText),
  retryAt: orNull(isNumber),
  lease: orNull(has({ holder: isText, until: isNumber })),
  before: isMoves,
  progress: has({
    total: isNumber,
    examined: isNumber,
    rewrapped: isNumber,
    failed: isNumber,
    damaged: isNumber,
    cursor: isText,
    since: orNull(isNumber),
  }),
})

const isDocument = has({
  sequence: isNumber,
  epoch: isNumber,
  moves: isMoves,
  retired: (value) => Array.isArray(value) && value.every(isText),
  rotation: orNull(isRotation),
})

/** Throws `Integrity('metadata failure')` for another shape: only a gateway of another version can have sealed it. */
export function parseRotationDocument(json: unknown): RotationDocument {
  if (!isDocument(json)) throw malformed()
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every field has been looked at
  return json as RotationDocument
}

/** As `parseRotationDocument`, of what is kept of one that has ended. */
export function parseRotation(json: unknown): Rotation {
  if (!isRotation(json)) throw malformed()
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every field has been looked at
  return json as Rotation
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
