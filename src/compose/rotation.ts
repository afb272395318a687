/** What a process needs to take part in rotations of master keys, and to drive them. */
import type { Settings } from '../config/settings.ts'
import type { Background } from '../gateway/background.ts'
import { Rotations } from '../jobs/rotation.ts'
import { needsDriving, Participant } from '../jobs/rotation/participant.ts'
import { Trust } from '../jobs/rotation/trust.ts'
import type { KeyManager, RotatingBucketKeys } from '../keys/key-manager.ts'
import { Replicas } from '../state/replicas.ts'
import { RotationStore } from '../state/rotation-store.ts'
import type { StateKeyring } from '../state/keyring.ts'
import type { StateStore } from '../state/state-store.ts'

export interface RotationContext {
  readonly state: StateStore
  readonly keyring: StateKeyring
  /** By alias. */
  readonly managers: ReadonlyMap<string, KeyManager>
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly random: (bytes: number) => Buffer
}

export interface Rotating {
  /** Milliseconds between two looks. */
  readonly poll: number
  /** Bucket keys are to follow it. */
  readonly participant: Participant
  readonly rotations: Rotations
}

/** Nothing is read or announced yet. */
export function rotating(inEffect: () => Settings, context: RotationContext): Rotating {
  const { state, managers, clock, random } = context
  const { keys } = inEffect()
  const used = usedBy(inEffect)
  const settings = {
    active: keys.active,
    retired: new Set(keys.retired),
    get used() {
      return used()
    },
  }
  const shared = {
    store: new RotationStore({ state, managers, clock, random }),
    replicas: new Replicas(state, clock),
    trust: new Trust(settings),
    process: random(8).toString('hex'),
    settings,
    managers,
    clock,
  }
  const { poll, drain, dualRead } = keys.rotation
  return {
    poll,
    participant: new Participant({ ...shared, poll }),
    rotations: new Rotations({ ...shared, keyring: context.keyring, random, times: { poll, drain, dualRead } }),
  }
}

/** All managers that settings seal by. Those of buckets may change meanwhile. */
function usedBy(inEffect: () => Settings): () => ReadonlySet<string> {
  let seen: Settings | undefined
  let found: ReadonlySet<string> = new Set()
  return () => {
    const settings = inEffect()
    if (settings === seen) return found
    seen = settings
    const { keys, buckets } = settings
    const own = buckets.flatMap((bucket) => (bucket.keys === undefined ? [] : [bucket.keys]))
    found = new Set([keys.active, ...keys.failover, ...own])
    return found
  }
}

export interface Part {
  /** Takes no further step. */
  readonly stop: () => void
  /** Once nothing is sealed any more. */
  readonly leave: () => Promise<void>
}

/** The keys follow rotations from now on. A process that serves is one of those that rotations wait for before it begins, and drives them; others join when they seal. */
export async function takePart(
  rotation: Rotating,
  {
    keys,
    background,
    serves,
  }: { readonly keys: RotatingBucketKeys; readonly background: Background; readonly serves: boolean },
): Promise<Part> {
  const { participant } = rotation
  participant.leads(keys)
  if (serves) await participant.join()
  return { stop: serves ? drive(rotation, background) : () => undefined, leave: () => participant.leave() }
}

/** Takes steps of a rotation whenever there are any. Returns what ends it. */
function drive({ participant, rotations, poll }: Rotating, background: Background): () => void {
  const stop = new AbortController()
  const { signal } = stop
  let running = false
  const work = async (): Promise<void> => {
    running = true
    try {
      while ((await rotations.step(signal)) === 'advanced') await participant.beat()
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      running = false
    }
  }
  const timer = setInterval(() => {
    if (!running && needsDriving(participant.rotation)) background.run('drive the rotation of master keys', work)
  }, poll).unref()
  return () => {
    clearInterval(timer)
    stop.abort()
  }
}
