/** How the record of rotations changes, without any store (docs/format.md, "Rotation"). */
import { Denied, Invalid } from '../../errors.ts'
import type { Moves, Rotation, RotationDocument, RotationProgress } from '../../state/rotation-record.ts'

export const NO_PROGRESS: RotationProgress = {
  total: 0,
  examined: 0,
  rewrapped: 0,
  failed: 0,
  damaged: 0,
  cursor: '',
  since: null,
}

/** Of a rotation that enters a phase: what was forced was the one before. */
const GOES_ON = { forced: false, stalled: null, retryAt: null, lease: null } as const

export const EMPTY: RotationDocument = { sequence: 0, epoch: 0, moves: {}, retired: [], rotation: null }

export interface NewRotation {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly witness: string | null
  readonly by: string
  readonly version: string | null
  readonly drainDeadline: number
}

/** What a change does to the document: every one that it makes is newer than any before. */
export function changed(
  document: RotationDocument,
  now: number,
  change: Partial<Omit<RotationDocument, 'rotation' | 'sequence' | 'epoch'>> & {
    readonly rotation?: Partial<Rotation>
    /** What processes remember of the keyring is no longer so. */
    readonly forget?: boolean
  },
): RotationDocument {
  const { rotation, forget = false, ...rest } = change
  return {
    ...document,
    ...rest,
    sequence: Math.max(document.sequence + 1, now),
    epoch: document.epoch + (forget ? 1 : 0),
    rotation: document.rotation === null ? null : { ...document.rotation, ...rotation },
  }
}

export const isOver = ({ phase }: Rotation): boolean => phase === 'done' || phase === 'aborted'
export const isMove = ({ from, to }: Pick<Rotation, 'from' | 'to'>): boolean => from !== to

const underWay = ({ from, to, phase }: Rotation): Invalid =>
  new Invalid(`a rotation from "${from}" to "${to}" is under way (${phase})`)

/** Who seals in the place of `alias` in the end. */
export function successorOf(moves: Moves, alias: string): string {
  let found = alias
  // As many steps as there are moves: what goes round in a circle is nobody's successor.
  for (let steps = Object.keys(moves).length; steps > 0 && Object.hasOwn(moves, found); steps -= 1) {
    found = moves[found] ?? found
  }
  return found
}

/** Throws `Invalid` where one is under way, or its managers are not what they have to be. */
export function begun(document: RotationDocument, fresh: NewRotation, now: number): RotationDocument {
  const { from, to } = fresh
  const { rotation, moves, retired } = document
  if (rotation !== null && !isOver(rotation)) throw underWay(rotation)
  if (Object.hasOwn(moves, from)) throw new Invalid(`"${from}" was rotated out: "${moves[from]}" wraps in its place`)
  if (retired.includes(to))
    throw new Invalid(`"${to}" was retired: \`sealgate keys retire --undo ${to}\` takes that back`)
  const { [to]: _, ...others } = moves
  const next = changed(document, now, { moves: from === to ? moves : { ...others, [from]: to }, forget: true })
  return {
    ...next,
    rotation: {
      ...fresh,
      phase: 'draining',
      started: now,
      cutOver: null,
      dualReadDeadline: null,
      ended: null,
      ...GOES_ON,
      progress: NO_PROGRESS,
      before: moves,
    },
  }
}

/** Every gateway has left the old manager, or has to be taken for gone. */
export const cutOver = (document: RotationDocument, now: number): RotationDocument =>
  changed(document, now, {
    rotation: { phase: 'rewrapping', cutOver: now, progress: NO_PROGRESS, ...GOES_ON },
    forget: true,
  })

/** The keyring is wrapped anew. */
export function rewrapped(document: RotationDocument, now: number, dualRead: number): RotationDocument {
  if (document.rotation !== null && !isMove(document.rotation)) return finished(document, now)
  return changed(document, now, {
    rotation: { phase: 'dual-read', dualReadDeadline: now + dualRead, ...GOES_ON },
    forget: true,
  })
}

export const finished = (document: RotationDocument, now: number): RotationDocument =>
  changed(document, now, {
    rotation: { phase: 'done', ended: now, ...GOES_ON },
    forget: true,
  })

/** Throws `Invalid` where there is nothing to abort. */
export function aborted(document: RotationDocument, now: number): RotationDocument {
  const { rotation } = document
  if (rotation === null || isOver(rotation)) throw new Invalid('no rotation is under way')
  return changed(document, now, {
    moves: rotation.before,
    rotation: { phase: 'aborted', ended: now, ...GOES_ON },
    forget: true,
  })
}

/** Goes on: with new deadlines, at once, and where it was done with the old manager asked again. An aborted one is begun anew by its caller. */
export function resumed(
  document: RotationDocument,
  now: number,
  { drain, dualRead, force }: { readonly drain: number; readonly dualRead: number; readonly force: boolean },
): RotationDocument {
  const { rotation } = document
  if (rotation === null) throw new Invalid('there is no rotation')
  if (rotation.phase === 'done' && !isMove(rotation)) throw new Invalid('the rotation is done')
  const going = { stalled: null, retryAt: null, forced: rotation.forced || force }
  if (rotation.phase === 'draining') {
    return changed(document, now, { rotation: { ...going, drainDeadline: now + drain } })
  }
  if (rotation.phase === 'rewrapping') return changed(document, now, { rotation: going })
  const reopened = rotation.phase === 'done'
  return changed(document, now, {
    rotation: {
      ...going,
      phase: 'dual-read',
      ended: null,
      // Who forces it wants its end.
      dualReadDeadline: force ? now : now + dualRead,
      progress: NO_PROGRESS,
    },
    forget: reopened,
  })
}

/** Throws `Invalid` where it may be needed for sealing, or is under way. */
export function retired(document: RotationDocument, alias: string, now: number): RotationDocument {
  const { rotation } = document
  if (rotation !== null && !isOver(rotation) && [rotation.from, rotation.to].includes(alias)) {
    throw underWay(rotation)
  }
  return changed(document, now, { retired: [...new Set([...document.retired, alias])].sort(), forget: true })
}

export const unretired = (document: RotationDocument, alias: string, now: number): RotationDocument =>
  changed(document, now, { retired: document.retired.filter((one) => one !== alias), forget: true })

/** Managers that are no longer asked for what the keyring does not have. */
export function closedBy({ moves, rotation }: RotationDocument): ReadonlySet<string> {
  const open = rotation !== null && !isOver(rotation) ? rotation.from : undefined
  return new Set(Object.keys(moves).filter((alias) => alias !== open))
}

export const refusedAsRetired = (alias: string): Denied =>
  new Denied(`the key manager "${alias}" was retired: nothing is sealed under it any more`)
