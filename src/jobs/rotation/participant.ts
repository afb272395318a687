/**
 * A process that seals, as one of many: it follows the record of rotations, says that it is there, and says when it has left an
 * old manager (docs/format.md, "Rotation").
 */
import { Integrity, Unavailable } from '../../errors.ts'
import type { KeyManager, RotatingBucketKeys, Succession } from '../../keys/key-manager.ts'
import type { Replicas } from '../../state/replicas.ts'
import type { Rotation } from '../../state/rotation-record.ts'
import { type FoundRotation, type RotationStore, SealsAway } from '../../state/rotation-store.ts'
import { alarm, rotationSeen } from '../../telemetry/channels.ts'
import { closedBy, isMove, isOver, refusedAsRetired, successorOf } from './machine.ts'
import type { SettingsOfKeys, Trust } from './trust.ts'

/** How often a process that is not asked to leave a manager says that it is there, in milliseconds. */
const HEARTBEAT = 60_000
/** After so many intervals without a look at the record nothing is sealed before another was tried. */
const STALE_INTERVALS = 6
/** Requests wait no longer than this for a state store that is slow to tell. */
const PATIENCE = 1_000
/** The same alarm again, in milliseconds. */
const QUIET = 600_000
const MAX_DOUBTS = 16

export interface ParticipantParts {
  readonly store: RotationStore
  readonly replicas: Replicas
  readonly managers: ReadonlyMap<string, KeyManager>
  readonly settings: SettingsOfKeys
  readonly trust: Trust
  /** 16 hex digits, drawn by each process. */
  readonly process: string
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Milliseconds between two looks. */
  readonly poll: number
}

type Keys = Pick<RotatingBucketKeys, 'settled' | 'forget'>

export class Participant implements Succession {
  readonly #parts: ParticipantParts
  #keys: Keys | undefined
  #found: FoundRotation | undefined
  #closed: ReadonlySet<string> = new Set()
  /** When the record was last looked at. */
  #looked = Number.NEGATIVE_INFINITY
  /** Managers that an unread record may have left: until the first look has told, nothing is sealed under them. */
  #undecided: readonly string[] | 'all' | undefined
  #decided = false
  #tried = Number.NEGATIVE_INFINITY
  #announced = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #joining: Promise<void> | undefined
  #acknowledged: string | undefined
  /** When each was last told. */
  readonly #doubted = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  #ended = false

  constructor(parts: ParticipantParts) {
    this.#parts = parts
  }

  /** The keys that follow it, which are made with it. */
  leads(keys: Keys): void {
    this.#keys = keys
  }

  /** From now on it is one of those that a rotation waits for, and looks by itself. In this order: whoever does not see us has written before we look. */
  join(): Promise<void> {
    this.#joining ??= this.#join().catch((error: unknown) => {
      this.#joining = undefined
      throw error
    })
    return this.#joining
  }

  async #join(): Promise<void> {
    await this.#announce()
    await this.#tryToLook()
    const again = (): void => {
      this.#timer = setTimeout(() => void this.beat().finally(again), this.#parts.poll).unref()
      if (this.#ended) clearTimeout(this.#timer)
    }
    again()
  }

  /** One round: looks, answers, and says that it is there. Never throws. */
  async beat(): Promise<void> {
    await this.#tryToLook()
    const due =
      this.#parts.clock() - this.#announced >= HEARTBEAT || this.#found?.document.rotation?.phase === 'draining'
    if (due && !this.#ended) {
      await this.#announce().catch((cause: unknown) =>
        alarm.publish({ what: 'could not tell other gateways that this one is there', detail: {}, cause }),
      )
    }
  }

  /** Looks at the record and does what it says. Throws `Unavailable` or `Integrity` if it cannot be read. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  /** Looks; that the record cannot be read is told, and thrown to nobody. */
  #tryToLook(): Promise<void> {
    return this.look().catch((cause: unknown) => this.#doubts('it could not be read', cause))
  }

  /** The rotation that this process follows. */
  get rotation(): Rotation | undefined {
    return this.#found?.document.rotation ?? undefined
  }

  sealsFor(alias: string): string | Promise<string> {
    const now = this.#parts.clock()
    const age = now - this.#looked
    if (this.#joining === undefined) return this.join().then(() => this.#sealer(alias))
    if (age <= STALE_INTERVALS * this.#parts.poll) return this.#sealer(alias)
    // A store that did not tell a moment ago is not asked by each request.
    if (this.#looking === undefined && now - this.#tried < this.#parts.poll) return this.#sealer(alias)
    return patiently(this.#tryToLook()).then(() => this.#sealer(alias))
  }

  mayBeNamed(alias: string): boolean {
    return !this.#isRetired(this.#successor(alias))
  }

  isClosed(alias: string): boolean {
    return this.#closed.has(alias)
  }

  /** Nobody waits for this process any more. */
  async leave(): Promise<void> {
    this.#ended = true
    clearTimeout(this.#timer)
    if (this.#joining === undefined) return
    await this.#joining.catch(() => undefined)
    clearTimeout(this.#timer)
    // Whoever drives a rotation finds out by himself; the end does not wait for a store that is away.
    await patiently(this.#parts.replicas.leave(this.#parts.process).catch(() => undefined))
  }

  async #announce(): Promise<void> {
    const { replicas, process, clock, settings, poll } = this.#parts
    const at = clock()
    await replicas.announce(process, { at, poll, managers: [...settings.used] })
    this.#announced = at
  }

  async #look(): Promise<void> {
    const { store, clock, trust } = this.#parts
    this.#tried = clock()
    const found = await store.read().catch((error: unknown) => {
      if (error instanceof Unavailable) this.#waitFor(error instanceof SealsAway ? error.aliases : 'all')
      throw error
    })
    this.#looked = clock()
    this.#waitFor(found?.away ?? [])
    if (found === undefined) {
      if (trust.hasSeen) this.#doubts('it is gone')
      return
    }
    const doubt = trust.doubt(found)
    if (doubt !== undefined) {
      this.#doubts(doubt)
      return
    }
    this.#follow(found)
    const { rotation } = found.document
    if (rotation?.phase === 'draining') await this.#answer(rotation)
  }

  /** Whoever has looked once goes on as he was: what he has sealed under is in the keyring. */
  #waitFor(aliases: readonly string[] | 'all'): void {
    if (this.#decided) return
    this.#decided = aliases.length === 0
    this.#undecided = this.#decided ? undefined : aliases
  }

  #follow(found: FoundRotation): void {
    const before = this.#found?.document
    const { document } = found
    this.#found = found
    this.#closed = closedBy(document)
    if (before?.epoch !== document.epoch) this.#keys?.forget()
    const { rotation } = document
    if (rotation !== null && before?.sequence !== document.sequence) {
      const { from, to, phase, progress } = rotation
      rotationSeen.publish({ from, to, phase, stalled: rotation.stalled !== null, ...progress })
    }
  }

  /** Once no key can be made under the old manager, or under the old version of its master key. */
  async #answer(rotation: Rotation): Promise<void> {
    const { managers, replicas, process } = this.#parts
    const { id, from, to, version } = rotation
    if (this.#acknowledged === id) return
    if (isMove(rotation) && this.#sealer(from) !== to) {
      this.#doubts(`this process cannot seal by "${to}" now`, this.#found?.closed[0])
      return
    }
    if (!isMove(rotation)) {
      const active = await managers.get(to)?.reload?.()
      if (version !== null && active !== version) {
        this.#doubts(`the active master key of "${to}" is another one here than ${version}: exchange the file`)
        return
      }
      this.#keys?.forget()
    }
    await this.#keys?.settled(from)
    await replicas.acknowledge(id, process)
    this.#acknowledged = id
  }

  #sealer(alias: string): string {
    const target = this.#successor(alias)
    if (this.#isRetired(target)) throw refusedAsRetired(target)
    const undecided = this.#undecided
    if (undecided === undefined || target !== alias) return target
    if (undecided !== 'all' && !undecided.includes(alias)) return target
    throw new Unavailable(`whether "${alias}" was rotated out could not be read yet`)
  }

  #isRetired(alias: string): boolean {
    return this.#parts.settings.retired.has(alias) || this.#found?.document.retired.includes(alias) === true
  }

  #successor(alias: string): string {
    const { settings, managers } = this.#parts
    if (this.#found === undefined) return alias
    const { document, guards } = this.#found
    const sealed = (by: string): boolean => guards.some((guard) => guard.alias === by)
    const { rotation } = document
    // Before the cut-over whoever cannot ask the new manager stays, and keeps the rotation from going on.
    const early = rotation?.phase === 'draining' && !sealed(rotation.to)
    const target = successorOf(early ? rotation.before : document.moves, alias)
    if (target === alias) return alias
    // What the settings seal by is left on its own word alone.
    if (settings.used.has(alias) && !sealed(alias)) {
      this.#doubts(`"${alias}" has not sealed that "${target}" takes its place: name that in the settings`)
      return alias
    }
    if (managers.has(target) && !settings.retired.has(target)) return target
    this.#doubts(`"${target}", which takes the place of "${alias}", is not in the settings, or retired there`)
    return alias
  }

  /** Told now and then, not at each look. What was in effect stays so. */
  #doubts(why: string, cause?: unknown): void {
    const now = this.#parts.clock()
    if (now - (this.#doubted.get(why) ?? Number.NEGATIVE_INFINITY) < QUIET) return
    if (this.#doubted.size >= MAX_DOUBTS) this.#doubted.clear()
    this.#doubted.set(why, now)
    const detail = { why: cause instanceof Integrity ? `${why}: ${cause.message}` : why }
    alarm.publish({
      what: 'the record of rotations is not followed',
      detail,
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** Waits for it, but not for long. */
async function patiently(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE)
  })
  // A timer that is left behind holds the process.
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Whether a gateway has something to do for it. */
export const needsDriving = (rotation: Rotation | undefined): boolean => rotation !== undefined && !isOver(rotation)
