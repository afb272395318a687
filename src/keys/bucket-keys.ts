/**
 * Which bucket key to seal under, and how to open the one an envelope names (docs/format.md, "Bucket keys, keyring and
 * rotation"): one key for each (namespace, manager, period), shared by all replicas through the keyring.
 */
import { Denied, Integrity, Invalid, Unavailable } from '../errors.ts'
import { sameBytes } from '../format/derive.ts'
import { BoundedCache } from './bounded-cache.ts'
import type { BucketKey, KeyManager, RotatingBucketKeys, Succession, WrappedBucketKey } from './key-manager.ts'
import { type CacheEvent, KeyCache } from './key-cache.ts'
import { claimOf, type Keyring, type KeyringRecord, type KeySlot } from './keyring.ts'
import { makeBucketKey } from './make-bucket-key.ts'
import { SingleFlight } from './single-flight.ts'

/** Something that did not fail a request but that an operator must look at. */
export interface KeyAlarm {
  /**
   * `keyring-record`: a record of the keyring is damaged or forged and was ignored in favour of the envelope's own key;
   * `active-record`: so is the shared key of a period, and this process seals under a key of its own instead;
   * `keyring-unavailable`: an object was opened without asking the keyring, because the state store does not answer;
   * `earlier-period`: objects are sealed under the key of an earlier period, because there is no way to a new one now;
   * `former-manager`: an object was refused, because only a manager that was rotated out can open it.
   */
  readonly kind: 'keyring-record' | 'active-record' | 'keyring-unavailable' | 'earlier-period' | 'former-manager'
  readonly namespace: string
  readonly kid?: Buffer
  readonly cause: unknown
}

export interface BucketKeysOptions {
  /** By alias. */
  readonly managers: ReadonlyMap<string, KeyManager>
  /** The manager that wraps new keys where none is named. */
  readonly activeAlias: string
  readonly keyring: Keyring
  /** Which managers have taken the place of others; default: none has. */
  readonly succession?: Succession
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** How long one key is sealed under: 1 hour to 30 days, default 1 day. */
  readonly lifetimeSeconds?: number
  /** Open keys kept at most; default 4,096. */
  readonly cacheEntries?: number
  /** How long an open key is used without asking its manager again; default 1 hour. */
  readonly cacheSeconds?: number
  /** How much longer while its manager is unavailable; default 24 hours. */
  readonly graceSeconds?: number
  readonly onAlarm?: (alarm: KeyAlarm) => void
  readonly onCache?: (event: CacheEvent) => void
  readonly onCacheSize?: (entries: number, oldest: () => number) => void
}

const HOUR = 3_600
const DAY = 86_400
const DAY_MS = DAY * 1_000
/** Milliseconds for which "the keyring has no such record" is believed. */
const ABSENCE_LIFETIME = 30_000
/** Milliseconds for which the key of an earlier period, or one whose time has run out, serves before its manager is asked again. */
const EARLIER_LIFETIME = 5_000

/** Throws `Invalid` if the lifetime is outside 1 hour to 30 days or the active alias names no manager. */
export function createBucketKeys(options: BucketKeysOptions): RotatingBucketKeys {
  const lifetime = options.lifetimeSeconds ?? DAY
  if (!Number.isInteger(lifetime) || lifetime < HOUR || lifetime > 30 * DAY) {
    throw new Invalid(`the lifetime of bucket keys is 1 hour to 30 days, not ${lifetime} seconds`)
  }
  if (!options.managers.has(options.activeAlias)) throw noManager(options.activeAlias)
  return new KeyringBucketKeys(options, lifetime)
}

const noManager = (alias: string): Invalid => new Invalid(`there is no key manager "${alias}"`)

/** What the keyring has to say to a wrapped key: the open key, or the error that keeps it from saying anything now, or nothing. */
interface Recorded {
  readonly key?: BucketKey
  readonly blocked?: Error
}

const NO_SUCCESSION: Succession = {
  sealsFor: (alias) => alias,
  mayBeNamed: () => true,
  isClosed: () => false,
}

class KeyringBucketKeys implements RotatingBucketKeys {
  readonly #keyring: Keyring
  readonly #managers: ReadonlyMap<string, KeyManager>
  readonly #activeAlias: string
  readonly #succession: Succession
  readonly #lifetimeSeconds: number
  readonly #clock: () => number
  readonly #alarm: (alarm: KeyAlarm) => void
  readonly #cacheLifetime: number
  readonly #graceLifetime: number
  readonly #keys: KeyCache
  readonly #actives: BoundedCache<BucketKey>
  /** The key that was last sealed under, by manager and namespace. */
  readonly #latest: BoundedCache<BucketKey>
  /** `null`: known to be absent. */
  readonly #records: BoundedCache<KeyringRecord | null>
  readonly #activeFlights = new SingleFlight<BucketKey>()
  readonly #recordFlights = new SingleFlight<KeyringRecord | undefined>()

  constructor(options: BucketKeysOptions, lifetimeSeconds: number) {
    const {
      managers,
      activeAlias,
      keyring,
      clock,
      onAlarm,
      onCache = () => undefined,
      onCacheSize = () => undefined,
    } = options
    const { cacheEntries = 4_096, cacheSeconds = HOUR, graceSeconds = DAY } = options
    this.#keyring = keyring
    this.#managers = managers
    this.#activeAlias = activeAlias
    this.#succession = options.succession ?? NO_SUCCESSION
    this.#lifetimeSeconds = lifetimeSeconds
    this.#clock = clock
    this.#alarm = onAlarm ?? (() => undefined)
    this.#cacheLifetime = cacheSeconds * 1_000
    this.#graceLifetime = graceSeconds * 1_000
    this.#keys = new KeyCache({
      managers,
      clock,
      cacheEntries,
      cacheLifetime: this.#cacheLifetime,
      grace: this.#graceLifetime,
      onCache,
      onSize: onCacheSize,
    })
    this.#actives = new BoundedCache(cacheEntries, clock)
    this.#latest = new BoundedCache(cacheEntries, clock)
    this.#records = new BoundedCache(cacheEntries, clock)
  }

  knows(alias: string): boolean {
    return this.#managers.has(alias) && this.#succession.mayBeNamed(alias)
  }

  holds(options: { readonly away: boolean }): boolean {
    return this.#keys.holds(options)
  }

  async active(namespace: string, wanted = this.#activeAlias): Promise<BucketKey> {
    const successor = this.#succession.sealsFor(wanted)
    // Without a turn of the event loop in between where there is nothing to wait for: see `settled`.
    const alias = typeof successor === 'string' ? successor : await successor
    const period = Math.floor(this.#clock() / 1_000 / this.#lifetimeSeconds)
    // An alias has no slash.
    const name = `${period}/${alias}/${namespace}`
    const cached = this.#actives.get(name)
    if (cached !== undefined) return cached
    return this.#activeFlights.run(name, async () => {
      const slot = { namespace, manager: alias, period }
      try {
        const key = await this.#shared(slot)
        // Not from now: it may have been opened a while ago, and its manager may take it back.
        const { fresh, stale } = this.#keys.left(key)
        this.#actives.set(name, key, fresh > 0 ? fresh : EARLIER_LIFETIME)
        this.#latest.set(`${alias}/${namespace}`, key, stale)
        return key
      } catch (error) {
        const key = await this.#earlier(slot, error)
        this.#actives.set(name, key, EARLIER_LIFETIME)
        return key
      }
    })
  }

  /** While there is no way to the key of this period, the last one serves, as long as replicas would still seal under it (docs/format.md, "Bucket keys"). */
  async #earlier({ namespace, manager }: KeySlot, error: unknown): Promise<BucketKey> {
    const latest = error instanceof Unavailable ? this.#latest.get(`${manager}/${namespace}`) : undefined
    if (latest === undefined || !this.#isInWindow(latest)) throw error
    // Whoever retired it may have done so because it leaked. A state store that is away too cannot tell.
    if (await this.#isRetired(latest.kid).catch(() => false)) throw error
    this.#alarm({ kind: 'earlier-period', namespace, kid: latest.kid, cause: error })
    return latest
  }

  async settled(alias: string): Promise<void> {
    // Whoever has been told of the manager by now has begun by then.
    await new Promise((resolve) => setImmediate(resolve))
    await this.#activeFlights.ended((name) => name.split('/')[1] === alias)
  }

  forget(): void {
    this.#actives.clear()
    this.#records.clear()
  }

  async open(wrapped: WrappedBucketKey, namespace: string): Promise<BucketKey> {
    const closed = this.#succession.isClosed(wrapped.alias)
    const cached = closed ? undefined : this.#keys.peek(wrapped, namespace)
    if (cached !== undefined) return cached
    const recorded = await this.#openRecorded(wrapped, namespace)
    if (recorded.key !== undefined) return recorded.key
    if (closed) throw recorded.blocked ?? this.#refusal(wrapped, namespace)
    try {
      return await this.#keys.open(wrapped, namespace)
    } catch (error) {
      // The inline key may be older than the last re-wrap. While the newer one cannot be asked for, nobody knows that the object is broken.
      if (error instanceof Integrity && recorded.blocked !== undefined) throw recorded.blocked
      throw error
    }
  }

  #refusal({ alias, kid }: WrappedBucketKey, namespace: string): Denied {
    const refusal = new Denied(
      `key ${kid.toString('hex')} is not in the keyring, and the key manager "${alias}" was rotated out: \`sealgate keys rotate --resume\` asks it again`,
    )
    this.#alarm({ kind: 'former-manager', namespace, kid, cause: refusal })
    return refusal
  }

  async byKid(kid: Buffer, namespace: string): Promise<BucketKey | undefined> {
    try {
      const record = await this.#find(kid)
      if (record?.namespace !== namespace || this.#succession.isClosed(record.alias)) return undefined
      return await this.#keys.open(record, namespace)
    } catch (error) {
      if (!(error instanceof Integrity)) throw error
      this.#reject(kid, namespace, error)
      return undefined
    }
  }

  forgetExpired(): void {
    this.#keys.forgetExpired()
    for (const cache of [this.#actives, this.#latest]) cache.forgetEnded()
  }

  close(): void {
    this.#keys.close()
    for (const { key } of [...this.#actives.drain(), ...this.#latest.drain()]) key.dispose()
  }

  async #openRecorded(wrapped: WrappedBucketKey, namespace: string): Promise<Recorded> {
    const { kid } = wrapped
    let record: KeyringRecord | undefined
    try {
      record = await this.#find(kid)
    } catch (error) {
      if (error instanceof Integrity) {
        this.#reject(kid, namespace, error)
        return {}
      }
      this.#alarm({ kind: 'keyring-unavailable', namespace, kid, cause: error })
      return { blocked: asError(error) }
    }
    // The very bytes that the envelope has inline: there is nothing to prefer.
    if (record === undefined || claimOf(record, record.namespace) === claimOf(wrapped, namespace)) return {}
    if (this.#succession.isClosed(record.alias)) return {}
    try {
      if (record.namespace !== namespace) {
        throw new Integrity('unwrap failure', `the keyring has this key for namespace "${record.namespace}"`)
      }
      return { key: await this.#keys.open(record, namespace) }
    } catch (error) {
      if (!(error instanceof Integrity)) {
        // Somebody may have moved it to another manager since, and the next caller reads it anew.
        if (error instanceof Denied) this.#records.delete(kid.toString('hex'))
        return { blocked: asError(error) }
      }
      this.#reject(kid, namespace, error)
      return {}
    }
  }

  #reject(kid: Buffer, namespace: string, cause: Integrity): void {
    // It may only be old: wrapped under a master key that has been rotated out since. The next caller reads it anew.
    this.#records.delete(kid.toString('hex'))
    this.#alarm({ kind: 'keyring-record', namespace, kid, cause })
  }

  async #find(kid: Buffer): Promise<KeyringRecord | undefined> {
    const name = kid.toString('hex')
    const cached = this.#records.get(name)
    if (cached !== undefined) return cached ?? undefined
    return this.#recordFlights.run(name, async () => {
      const record = await this.#keyring.find(kid)
      this.#records.set(name, record ?? null, record === undefined ? ABSENCE_LIFETIME : this.#cacheLifetime)
      return record
    })
  }

  /** The key of a slot: the one that is there, or ours if nobody was faster. Published first and recorded second, so that a lost race leaves no record behind. */
  async #shared(slot: KeySlot): Promise<BucketKey> {
    let record: KeyringRecord | undefined
    try {
      record = await this.#keyring.active(slot)
      if (record === undefined) {
        const fresh = await this.#generate(slot)
        record = await this.#keyring.publishActive(slot, recordOf(fresh, this.#clock()))
        if (sameBytes(record.kid, fresh.kid)) return await this.#recorded(fresh)
      }
      return await this.#adopt(slot, record)
    } catch (error) {
      // Whoever writes the state store must neither choose the key we seal under nor stop us from sealing. A manager that
      // refuses this key and makes another is not the one who refuses.
      if (!(error instanceof Integrity || (error instanceof Denied && record !== undefined))) throw error
      const own = await this.#generate(slot)
      const kid = record === undefined ? {} : { kid: record.kid }
      this.#alarm({ kind: 'active-record', namespace: slot.namespace, ...kid, cause: error })
      return this.#recorded(own)
    }
  }

  /** Opens what another replica published. Throws `Integrity` if we must not seal under it. */
  async #adopt(slot: KeySlot, record: KeyringRecord): Promise<BucketKey> {
    if (record.status !== 'active' || record.namespace !== slot.namespace || record.alias !== slot.manager) {
      throw new Integrity('unwrap failure', 'the active record is not an active key of its slot')
    }
    // By the manager of the slot, whatever the keyring says: one that was rotated out, perhaps because it leaked, must not choose what we seal under.
    const key = await this.#keys.open(record, slot.namespace)
    // The day that counts is the one under which the key opened, not the one that the slot claims.
    this.#checkDay(key)
    if (await this.#isRetired(record.kid)) throw new Integrity('unwrap failure', 'the active key was retired')
    await this.#keyring.record(record)
    return key
  }

  /** A key may be retired in the keyring before its period ends. A damaged record says nothing: `open` has raised the alarm. */
  async #isRetired(kid: Buffer): Promise<boolean> {
    try {
      return (await this.#find(kid))?.status === 'retired'
    } catch (error) {
      if (!(error instanceof Integrity)) throw error
      return false
    }
  }

  async #generate({ namespace, manager: alias }: KeySlot): Promise<BucketKey> {
    const manager = this.#managers.get(alias)
    if (manager === undefined) throw noManager(alias)
    return makeBucketKey(manager, { namespace, day: Math.floor(this.#clock() / DAY_MS) })
  }

  async #recorded(key: BucketKey): Promise<BucketKey> {
    const record = recordOf(key, this.#clock())
    await this.#keyring.record(record)
    this.#records.set(key.kid.toString('hex'), record, this.#cacheLifetime)
    return this.#keys.keep(key)
  }

  /** Refuses a key whose day lies outside [today − window − 1, today + 1]: an old, leaked key must not come back into use. */
  #checkDay(key: BucketKey): void {
    if (this.#isInWindow(key)) return
    const { day, kid } = key
    const today = Math.floor(this.#clock() / DAY_MS)
    throw new Integrity(
      'unwrap failure',
      `key ${kid.toString('hex')} was made on day ${day}, too far from today, ${today}`,
    )
  }

  #isInWindow({ day }: BucketKey): boolean {
    const today = Math.floor(this.#clock() / DAY_MS)
    const window = Math.ceil(this.#lifetimeSeconds / DAY)
    return day >= today - window - 1 && day <= today + 1
  }
}

function recordOf({ tag, alias, day, kid, wrapped, namespace }: BucketKey, created: number): KeyringRecord {
  return { tag, alias, day, kid, wrapped, namespace, created, status: 'active' }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Unavailable('the keyring failed', { cause: error })
}
