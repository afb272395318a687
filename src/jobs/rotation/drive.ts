/** The steps of a rotation, whoever takes them: each may be taken again, and two at once do no harm (docs/format.md, "Rotation"). */
import type { Rotation, RotationDocument, RotationProgress } from '../../state/rotation-record.ts'
import type { FoundRotation } from '../../state/rotation-store.ts'
import { alarm } from '../../telemetry/channels.ts'
import { rewrapKeyring } from '../rewrap-keyring.ts'
import { changed, cutOver, finished, isMove, isOver, NO_PROGRESS, rewrapped } from './machine.ts'
import type { RotationsParts } from './parts.ts'
import { clearSlots, renewSlots } from './slots.ts'

/** For so long a process has the work to itself, each time that it says how far it is. */
const LEASE = 30_000
/** How often it says so: milliseconds, and records. */
const SAVE_AFTER = 1_000
const SAVE_RECORDS = 256
/** When what failed is tried again. */
const AGAIN_AFTER = 60_000
/** A process that has announced itself in so many intervals of looking is there. */
const SILENT_INTERVALS = 12
/** Announcements of processes that are gone are kept no longer. */
const FORGOTTEN_AFTER = 24 * 3_600_000

type Change = (found: FoundRotation) => RotationDocument | undefined
export type Step = 'idle' | 'waiting' | 'advanced'

/** The record, as `Rotations` reads and changes it. */
export interface Access {
  readonly read: () => Promise<FoundRotation | undefined>
  readonly change: (change: Change) => Promise<FoundRotation | undefined>
}

/** Somebody else has the work by now, or it was aborted. */
class Lost extends Error {}

export class Drive {
  readonly #parts: RotationsParts
  readonly #access: Access

  constructor(parts: RotationsParts, access: Access) {
    this.#parts = parts
    this.#access = access
  }

  async step(signal?: AbortSignal): Promise<Step> {
    const rotation = (await this.#access.read())?.document.rotation
    if (rotation === undefined || rotation === null || isOver(rotation)) return 'idle'
    const { retryAt, phase } = rotation
    if (retryAt !== null && retryAt > this.#parts.clock()) return 'waiting'
    try {
      if (phase === 'draining') return await this.#drain(rotation)
      return await (phase === 'rewrapping' ? this.#rewrap(rotation, signal) : this.#finish(rotation, signal))
    } catch (error) {
      if (error instanceof Lost) return 'waiting'
      throw error
    }
  }

  /** Keeps what has ended, and forgets what only it needed. */
  async ended(found: FoundRotation | undefined): Promise<void> {
    const rotation = found?.document.rotation
    if (found === undefined || rotation === undefined || rotation === null) return
    await this.#parts.store.keep(rotation, found.guards)
    await this.#parts.replicas.clean(rotation.id, FORGOTTEN_AFTER)
  }

  /** Goes on once every gateway has left the old manager. Beyond the deadline only if it is told to: one that does not answer may still seal under it. */
  async #drain(rotation: Rotation): Promise<Step> {
    const { replicas, times, clock } = this.#parts
    const missing = await replicas.missing(rotation.id, { intervals: SILENT_INTERVALS, poll: times.poll })
    if (missing.length === 0 || rotation.forced) {
      await this.#step(rotation, (document, now) => cutOver(document, now))
      return 'advanced'
    }
    if (clock() >= rotation.drainDeadline && rotation.stalled === null) {
      const why = `${missing.length} gateways have not left "${rotation.from}"`
      await this.#stall(rotation, { why, retryAt: null, progress: NO_PROGRESS })
    }
    return 'waiting'
  }

  async #rewrap(rotation: Rotation, signal?: AbortSignal): Promise<Step> {
    const { managers, keyring } = this.#parts
    if (!(await this.#lease(rotation))) return 'waiting'
    const progress = await this.#pass(rotation, rotation.progress, signal)
    if (progress.failed > 0 && !rotation.forced) {
      return this.#failed(rotation, `${progress.failed} bucket keys could not be wrapped anew`, progress)
    }
    // Also without a new manager new objects carry a wrapped form: that of the slot.
    const slots = isMove(rotation) ? 0 : await renewSlots({ keyring, managers }, rotation.from, signal)
    if (slots > 0 && !rotation.forced) {
      return this.#failed(rotation, `${slots} keys in use could not be wrapped anew`, progress)
    }
    const done = await this.#step(rotation, (document, now) =>
      rewrapped(changed(document, now, { rotation: { progress } }), now, this.#parts.times.dualRead),
    )
    if (!isMove(rotation)) await this.ended(done)
    return 'advanced'
  }

  /** The last look: a gateway that was thought gone may have made keys under the old manager since. */
  async #finish(rotation: Rotation, signal?: AbortSignal): Promise<Step> {
    const { keyring, clock } = this.#parts
    if (clock() < (rotation.dualReadDeadline ?? 0)) return 'waiting'
    if (!(await this.#lease(rotation))) return 'waiting'
    const start = rotation.progress.cursor === '' ? NO_PROGRESS : rotation.progress
    const progress = await this.#pass(rotation, start, signal)
    const { failed, damaged } = progress
    if (failed + damaged > 0 && !rotation.forced) {
      const why = `${failed} bucket keys are still wrapped by "${rotation.from}", and ${damaged} records of the keyring are damaged`
      return this.#failed(rotation, why, progress)
    }
    await clearSlots(keyring, rotation.from, signal)
    const done = await this.#step(rotation, (document, now) =>
      now < (document.rotation?.dualReadDeadline ?? 0) ? undefined : finished(document, now),
    )
    await this.ended(done)
    return 'advanced'
  }

  /** One way through the keyring, from where it was left. */
  async #pass(rotation: Rotation, start: RotationProgress, signal?: AbortSignal): Promise<RotationProgress> {
    const { keyring, managers, clock } = this.#parts
    const base = start.since === null ? { ...NO_PROGRESS, total: await keyring.count(), since: clock() } : start
    let progress: RotationProgress = base
    let saved = { at: clock(), examined: base.examined }
    await this.#save(rotation, progress)
    await rewrapKeyring(
      { keyring, managers },
      {
        from: rotation.from,
        to: isMove(rotation) ? rotation.to : undefined,
        after: base.cursor,
        signal,
        onBatch: async ({ examined, rewrapped: done, failed, unreadable }, lastKid) => {
          progress = {
            ...base,
            examined: base.examined + examined,
            rewrapped: base.rewrapped + done,
            failed: base.failed + failed,
            damaged: base.damaged + unreadable,
            cursor: lastKid === '' ? progress.cursor : lastKid,
          }
          if (clock() - saved.at < SAVE_AFTER && progress.examined - saved.examined < SAVE_RECORDS) return
          saved = { at: clock(), examined: progress.examined }
          await this.#save(rotation, progress)
        },
      },
    )
    return { ...progress, total: Math.max(progress.total, progress.examined), cursor: '' }
  }

  /** Says how far it is, and keeps the work. */
  async #save(rotation: Rotation, progress: RotationProgress): Promise<void> {
    await this.#step(rotation, (document, now) =>
      changed(document, now, { rotation: { progress, lease: this.#newLease(now) } }),
    )
  }

  /** Takes the work, unless somebody else has it. */
  async #lease({ id }: Rotation): Promise<boolean> {
    const { clock, process } = this.#parts
    const done = await this.#access.change(({ document }) => {
      const now = clock()
      const { rotation } = document
      const held = rotation?.lease
      if (rotation?.id !== id || isOver(rotation)) return undefined
      if (held !== undefined && held !== null && held.holder !== process && held.until > now) return undefined
      return changed(document, now, { rotation: { lease: this.#newLease(now) } })
    })
    return done !== undefined
  }

  #newLease(now: number): { readonly holder: string; readonly until: number } {
    return { holder: this.#parts.process, until: now + LEASE }
  }

  /** Changes it, while it is the same rotation in the same phase and nobody else has the work. Throws `Lost`. */
  async #step(
    { id, phase }: Rotation,
    change: (document: RotationDocument, now: number) => RotationDocument | undefined,
  ): Promise<FoundRotation> {
    const { clock, process } = this.#parts
    const done = await this.#access.change(({ document }) => {
      const { rotation } = document
      if (rotation?.id !== id || rotation.phase !== phase) return undefined
      if (rotation.lease !== null && rotation.lease.holder !== process) return undefined
      return change(document, clock())
    })
    if (done === undefined) throw new Lost('the work is no longer ours')
    return done
  }

  async #failed(rotation: Rotation, why: string, counted: RotationProgress): Promise<Step> {
    // A new pass begins at the beginning; what the last one counted is told until then.
    const progress = { ...counted, cursor: '', since: null }
    await this.#stall(rotation, { why, retryAt: this.#parts.clock() + AGAIN_AFTER, progress })
    return 'waiting'
  }

  async #stall(
    rotation: Rotation,
    { why, ...change }: { readonly why: string } & Pick<Rotation, 'retryAt' | 'progress'>,
  ): Promise<void> {
    await this.#step(rotation, (document, now) =>
      changed(document, now, { rotation: { ...change, stalled: why, lease: null } }),
    )
    if (rotation.stalled === why) return
    const { from, to, phase } = rotation
    alarm.publish({ what: 'a rotation of master keys does not go on', detail: { from, to, phase, why } })
  }
}
