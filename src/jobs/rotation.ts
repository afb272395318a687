/**
 * Rotation of master keys over all gateways (docs/format.md, "Rotation"): a new version of a master key, or another key manager. No
 * object is touched. All that is known of it lies in the state store, and every step is a conditional write there, so that any
 * process may take the next one, whoever died meanwhile.
 */
import { Invalid, Unavailable } from '../errors.ts'
import { managerNamed } from '../keys/key-manager.ts'
import type { Rotation, RotationDocument, RotationPhase } from '../state/rotation-record.ts'
import type { FoundRotation } from '../state/rotation-store.ts'
import { alarm } from '../telemetry/channels.ts'
import { Drive } from './rotation/drive.ts'
import {
  aborted,
  begun,
  changed,
  EMPTY,
  isMove,
  isOver,
  type NewRotation,
  resumed,
  retired,
  successorOf,
  unretired,
} from './rotation/machine.ts'
import type { RotationsParts } from './rotation/parts.ts'
import { sayOver, sealersOf } from './rotation/trust.ts'

/** One rotation as plain data. Times are RFC 3339. */
export interface RotationStatus {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly phase: RotationPhase
  readonly by: string
  readonly started: string
  readonly drainDeadline: string
  readonly cutOver?: string
  readonly dualReadDeadline?: string
  readonly ended?: string
  readonly forced: boolean
  /** Why it waits for somebody. */
  readonly stalled?: string
  /** Of the keyring. */
  readonly total: number
  readonly examined: number
  readonly rewrapped: number
  readonly failed: number
  readonly damaged: number
  /** Records a second, and seconds that the rest will take at that rate, once known. */
  readonly rate?: number
  readonly secondsLeft?: number
}

export interface StartRotation {
  /** Default: the manager that wraps new keys now. */
  readonly from?: string | undefined
  /** Default: the same one, whose master key has a new version. */
  readonly to?: string | undefined
  /** Who asks for it, for the record. */
  readonly by: string
  /** Also where a gateway's settings have not followed an earlier one, or the record of an earlier one cannot be read. */
  readonly force?: boolean
}

const MAX_CONFLICTS = 16
/** What gateways have said of their settings within that time counts. */
const RECENT = 10 * 60_000

export class Rotations {
  readonly #parts: RotationsParts
  readonly #drive: Drive

  constructor(parts: RotationsParts) {
    this.#parts = parts
    this.#drive = new Drive(parts, {
      read: () => this.#read(),
      change: (change) => this.#change(change),
    })
  }

  /** Begins. Throws `Invalid` where that may not be, and whatever keeps the new manager from wrapping a key. */
  async start({ force = false, ...asked }: StartRotation): Promise<RotationStatus> {
    const { store, clock } = this.#parts
    const found = await this.#foundOrForced(force)
    const document = found?.document ?? EMPTY
    const now = clock()
    const fresh = await this.#newRotation(document, asked, now)
    const made = begun(document, fresh, now)
    if (!force) await this.#settingsFollow(document)
    const { from, to, witness } = fresh
    const guards = await store.guardsOf([from, to, ...(witness === null ? [] : [witness])])
    if (found !== undefined && document.rotation !== null) await store.keep(document.rotation, found.guards)
    const etag = found?.etag ?? (force ? await store.etag() : undefined)
    if (!(await store.write(made, guards, etag))) throw new Unavailable('another rotation began at this moment')
    return statusOf(rotationOf(made), now)
  }

  async #newRotation(
    document: RotationDocument,
    asked: Omit<StartRotation, 'force'>,
    now: number,
  ): Promise<NewRotation> {
    const { managers, settings, times, random } = this.#parts
    const from = asked.from ?? successorOf(document.moves, settings.active)
    const to = asked.to ?? from
    managerNamed(managers, from)
    const target = managerNamed(managers, to)
    if (settings.retired.has(to)) throw new Invalid(`the settings say of "${to}" that it is retired`)
    const id = `${now.toString(36).padStart(9, '0')}-${random(4).toString('hex')}`
    const version = from === to ? ((await target.reload?.()) ?? null) : null
    const say = sayOver(document, settings.active)
    const witness = say === from || say === to ? null : say
    return { id, from, to, witness, by: asked.by, version, drainDeadline: now + times.drain }
  }

  /** The one under way, or else the last one. */
  async current(): Promise<RotationStatus | undefined> {
    const rotation = (await this.#read())?.document.rotation
    return rotation === undefined || rotation === null ? undefined : statusOf(rotation, this.#parts.clock())
  }

  /** Managers under which nothing is sealed any more, and who has taken whose place. */
  async succession(): Promise<{ readonly retired: readonly string[]; readonly sealsBy: string }> {
    const { moves, retired: gone } = (await this.#read())?.document ?? EMPTY
    return { retired: gone, sealsBy: successorOf(moves, this.#parts.settings.active) }
  }

  /** New keys are made by the old manager again. What has been wrapped anew stays so: both managers are there to open it. */
  async abort({ by }: { readonly by: string }): Promise<RotationStatus> {
    const done = await this.#change(({ document }) => aborted(document, this.#parts.clock()), { withoutNew: true })
    await this.#drive.ended(done)
    alarm.publish({ what: 'a rotation of master keys was aborted', detail: { by } })
    return statusOf(rotationOf(done?.document), this.#parts.clock())
  }

  /** Lets one that has stalled go on; with `force` past what held it up. Begins an aborted one again, and has the old manager asked again after one that is done. */
  async resume({ by, force = false }: { readonly by: string; readonly force?: boolean }): Promise<RotationStatus> {
    const { times, clock } = this.#parts
    const rotation = (await this.#read())?.document.rotation
    if (rotation?.phase === 'aborted') return this.start({ from: rotation.from, to: rotation.to, by, force })
    const done = await this.#change(({ document }) => resumed(document, clock(), { ...times, force }))
    return statusOf(rotationOf(done?.document), clock())
  }

  /** Those that have ended, the newest first. */
  async history(): Promise<RotationStatus[]> {
    const current = (await this.#read())?.document.rotation
    const kept = (await this.#parts.store.history()).filter(({ id }) => id !== current?.id)
    const ended = current !== undefined && current !== null && isOver(current) ? [current, ...kept] : kept
    return ended.map((one) => statusOf(one, this.#parts.clock()))
  }

  /** Nothing is sealed under that manager from now on, by any gateway; `undo` takes it back. Whether something still needs it is for the caller to look at. */
  async retire(alias: string, { undo = false }: { readonly undo?: boolean } = {}): Promise<void> {
    const { settings, clock, managers } = this.#parts
    const now = clock()
    if (!undo) managerNamed(managers, alias)
    const others = undo ? [] : [...(await this.#parts.replicas.recent(RECENT)).values()]
    const change = (document: RotationDocument): RotationDocument => {
      if (undo) return unretired(document, alias, now)
      const used = [...settings.used].find((one) => successorOf(document.moves, one) === alias)
      if (used !== undefined)
        throw new Invalid(`"${alias}" wraps new bucket keys: \`sealgate keys rotate --to\` another first`)
      if (others.some((other) => other.managers.some((one) => successorOf(document.moves, one) === alias)))
        throw new Invalid(`the settings of a gateway seal by "${alias}": name another there, and start it anew`)
      return retired(document, alias, now)
    }
    await this.#changeOrMake(change)
  }

  /** Has every gateway look at the keyring anew: something there is to be heeded at once. */
  async refresh(): Promise<void> {
    await this.#changeOrMake((document) => changed(document, this.#parts.clock(), { forget: true }))
  }

  /** Takes the next step, if there is one and nobody else is at it. Ends early, without a loss, with the signal's reason. */
  step(signal?: AbortSignal): Promise<'idle' | 'waiting' | 'advanced'> {
    return this.#drive.step(signal)
  }

  /** What is there, if this process believes it. Throws `Invalid` otherwise. */
  async #read(): Promise<FoundRotation | undefined> {
    const found = await this.#parts.store.read()
    if (found === undefined) return undefined
    const doubt = this.#parts.trust.doubt(found)
    if (doubt === undefined) return found
    throw new Invalid(`the record of rotations is not to be trusted: ${doubt}`)
  }

  async #foundOrForced(force: boolean): Promise<FoundRotation | undefined> {
    try {
      return await this.#read()
    } catch (error) {
      if (!force) throw error
      alarm.publish({ what: 'a record of rotations that cannot be read was replaced', detail: {}, cause: error })
      return undefined
    }
  }

  /** What `change` makes of it takes its place; `undefined` where it makes nothing of it. */
  async #change(
    change: (found: FoundRotation) => RotationDocument | undefined,
    { withoutNew = false }: { readonly withoutNew?: boolean } = {},
  ): Promise<FoundRotation | undefined> {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      const found = await this.#read()
      if (found === undefined) throw new Invalid('there is no rotation')
      const next = change(found)
      if (next === undefined) return undefined
      this.#checkSeals(next, found, withoutNew)
      if (await this.#parts.store.write(next, found.guards, found.etag)) return { ...found, document: next }
    }
    throw new Unavailable('the record of rotations changes all the time; try again')
  }

  /** As `#change`, also where there is no record yet. */
  async #changeOrMake(change: (document: RotationDocument) => RotationDocument): Promise<void> {
    const { store, settings } = this.#parts
    if ((await this.#read()) !== undefined) {
      await this.#change(({ document }) => change(document))
      return
    }
    const guards = await store.guardsOf([settings.active])
    if (!(await store.write(change(EMPTY), guards, undefined))) {
      throw new Unavailable('somebody else was faster; try again')
    }
  }

  /** A record with fewer seals than it had would be believed by fewer. */
  #checkSeals({ rotation }: RotationDocument, { guards, closed }: FoundRotation, withoutNew: boolean): void {
    if (rotation === null) return
    const sealers = sealersOf(rotation, this.#parts.settings)
    const needed = withoutNew ? sealers.filter((alias) => alias !== rotation.to || alias === rotation.from) : sealers
    const missing = needed.filter((alias) => guards.every((guard) => guard.alias !== alias))
    if (missing.length === 0) return
    throw new Unavailable(`the record of rotations cannot be sealed without "${missing.join('", "')}"`, {
      cause: closed[0],
    })
  }

  /** A gateway whose settings seal by a manager that an earlier rotation has left would not believe a record that this one does not seal. */
  async #settingsFollow({ moves }: RotationDocument): Promise<void> {
    for (const { managers } of (await this.#parts.replicas.recent(RECENT)).values()) {
      const behind = managers.find((alias) => Object.hasOwn(moves, alias))
      if (behind === undefined) continue
      throw new Invalid(
        `the settings of a gateway still name "${behind}", in whose place "${successorOf(moves, behind)}" wraps: name that, and start it anew`,
      )
    }
  }
}

function rotationOf(document: RotationDocument | undefined): Rotation {
  if (document?.rotation === undefined || document.rotation === null) throw new Invalid('there is no rotation')
  return document.rotation
}

function statusOf(rotation: Rotation, now: number): RotationStatus {
  const { id, from, to, phase, by, forced, stalled, progress } = rotation
  const { total, examined, rewrapped, failed, damaged, since } = progress
  const seconds = since === null ? 0 : (now - since) / 1_000
  const rate = phase === 'rewrapping' && seconds > 0 ? examined / seconds : 0
  return {
    id,
    from,
    to,
    phase,
    by,
    started: timeOf(rotation.started),
    drainDeadline: timeOf(rotation.drainDeadline),
    ...(rotation.cutOver === null ? {} : { cutOver: timeOf(rotation.cutOver) }),
    ...(rotation.dualReadDeadline === null || !isMove(rotation)
      ? {}
      : { dualReadDeadline: timeOf(rotation.dualReadDeadline) }),
    ...(rotation.ended === null ? {} : { ended: timeOf(rotation.ended) }),
    forced,
    ...(stalled === null ? {} : { stalled }),
    total,
    examined,
    rewrapped,
    failed,
    damaged,
    ...(rate > 0 ? { rate: Math.round(rate), secondsLeft: Math.ceil(Math.max(0, total - examined) / rate) } : {}),
  }
}

const timeOf = (milliseconds: number): string => new Date(milliseconds).toISOString()
