/**
 * Records of rotations (docs/format.md, "Rotation"). Whoever writes the state store must not be able to make gateways seal under
 * a manager that was rotated out, perhaps because it leaked. A record is therefore sealed twice, under a key of the old and one of the new
 * manager, and of the one that has the say over records if that is a third; each is opened by its manager and by nobody else: the keyring has no
 * say in it.
 */
import { Denied, Integrity, Unavailable } from '../errors.ts'
import { fromBase64url, kidOf, type RandomSource, sameBytes, toBase64url } from '../format/derive.ts'
import { openStateRecord, parseStateRecordPrefix, sealStateRecord } from '../format/state-record.ts'
import { type BucketKey, type KeyManager, managerNamed, type WrappedBucketKey } from '../keys/key-manager.ts'
import { claimOf } from '../keys/keyring.ts'
import { takeSecret } from '../secret-bytes.ts'
import { parseRotation, parseRotationDocument, type Rotation, type RotationDocument } from './rotation-record.ts'
import type { StateStore } from './state-store.ts'

/** What keys of these records are bound to; no bucket has it. */
export const ROTATION_NAMESPACE = 'sealgate/rotation'

const CURRENT = 'rotation/current'
const HISTORY = 'rotation/by-id/'
const DAY_MS = 86_400_000
const MAX_SEALS = 3
/** Rotations that have ended, of which the history tells. */
const MOST_TOLD = 100
const KNOWN_KEYS = 16

export interface RotationStoreParts {
  readonly state: StateStore
  readonly managers: ReadonlyMap<string, KeyManager>
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly random: RandomSource
}

/** A key that records are sealed under. */
export type Guard = BucketKey

export interface FoundRotation {
  readonly document: RotationDocument
  readonly etag: string
  /** Keys of the seals that opened. Their aliases are proven: each was opened by that manager. */
  readonly guards: readonly Guard[]
  /** Why the others did not. */
  readonly closed: readonly Error[]
  /** Managers that may open others of the seals, and do not answer now. */
  readonly away: readonly string[]
}

/** No seal opens now: what stands in the record they alone can tell. */
export class SealsAway extends Unavailable {
  readonly aliases: readonly string[]

  constructor(aliases: readonly string[], cause: unknown) {
    super('the record of rotations cannot be opened now', { cause })
    this.aliases = aliases
  }
}

export class RotationStore {
  readonly #parts: RotationStoreParts
  /** By what they claim to be. */
  readonly #known = new Map<string, Guard>()
  #last: { readonly text: Buffer; readonly found: FoundRotation } | undefined

  constructor(parts: RotationStoreParts) {
    this.#parts = parts
  }

  /** `undefined` if there is none. Throws `Integrity`, `Denied` or `Unavailable` if no seal opens, `Integrity` if two say different things. */
  async read(): Promise<FoundRotation | undefined> {
    const found = await this.#parts.state.get(CURRENT)
    if (found === undefined) return undefined
    // Most looks find what the last one found.
    if (this.#last?.text.equals(found.bytes) === true && this.#last.found.closed.length === 0) {
      return { ...this.#last.found, etag: found.etag }
    }
    const { json, ...seals } = await this.#open(CURRENT, found.bytes)
    const opened = { document: parseRotationDocument(json), etag: found.etag, ...seals }
    this.#last = { text: found.bytes, found: opened }
    return opened
  }

  /** The ETag of what is there, whether it opens or not; to be put in its place. */
  async etag(): Promise<string | undefined> {
    return (await this.#parts.state.get(CURRENT))?.etag
  }

  /** Puts it in the place of what had that ETag, or of nothing. False if something else is there by now. */
  async write(document: RotationDocument, guards: readonly Guard[], etag: string | undefined): Promise<boolean> {
    const sealed = this.#seal(CURRENT, document, guards)
    return (await this.#parts.state.exchange(CURRENT, sealed, etag)) !== undefined
  }

  /** New keys to seal under, of each of these managers. What was made is opened once: a manager that cannot do that is found out here. */
  async guardsOf(aliases: readonly string[]): Promise<Guard[]> {
    return Promise.all([...new Set(aliases)].map((alias) => this.#newGuard(alias)))
  }

  /** Keeps one that has ended. */
  async keep(rotation: Rotation, guards: readonly Guard[]): Promise<void> {
    const path = HISTORY + rotation.id
    await this.#parts.state.put(path, this.#seal(path, rotation, guards))
  }

  /** Those that have ended and can be opened, the newest first. */
  async history(): Promise<Rotation[]> {
    const names: string[] = []
    for await (const records of this.#parts.state.pages(HISTORY)) names.push(...records.map(({ path }) => path))
    const found: Rotation[] = []
    for (const path of names.slice(-MOST_TOLD).reverse()) {
      const record = await this.#parts.state.get(path)
      if (record === undefined) continue
      const opened = await this.#open(path, record.bytes).catch(unlessUnavailable)
      if (opened !== undefined) found.push(parseRotation(opened.json))
    }
    return found
  }

  #seal(path: string, json: unknown, guards: readonly Guard[]): Buffer {
    const seals = guards.map((guard) => toBase64url(sealStateRecord(guard, path, json, this.#parts.random)))
    return Buffer.from(JSON.stringify({ version: 1, seals }))
  }

  async #open(path: string, bytes: Buffer) {
    const opened: { readonly json: unknown; readonly guard: Guard }[] = []
    const closed: Error[] = []
    const away: string[] = []
    for (const seal of sealsOf(bytes)) {
      let alias = ''
      try {
        const { wrapped } = parseStateRecordPrefix(seal)
        alias = wrapped.alias
        const guard = await this.#unwrap(wrapped)
        opened.push({ json: openStateRecord(guard.key, path, seal), guard })
      } catch (error) {
        if (!(error instanceof Integrity || error instanceof Denied || error instanceof Unavailable)) throw error
        closed.push(error)
        if (error instanceof Unavailable) away.push(alias)
      }
    }
    const [first] = opened
    if (first === undefined) throw away.length > 0 ? new SealsAway(away, closed[0]) : (closed[0] ?? malformed())
    if (new Set(opened.map(({ json }) => JSON.stringify(json))).size > 1) throw malformed()
    return { json: first.json, guards: opened.map(({ guard }) => guard), closed, away }
  }

  /** By the manager that it names, and by no other. */
  async #unwrap(wrapped: WrappedBucketKey): Promise<Guard> {
    const { tag, alias, day, kid } = wrapped
    const claim = claimOf(wrapped, ROTATION_NAMESPACE)
    const known = this.#known.get(claim)
    if (known !== undefined) return known
    const manager = this.#parts.managers.get(alias)
    if (manager?.tag !== tag) throw new Integrity('unwrap failure', `there is no key manager "${alias}" of that kind`)
    const key = takeSecret(await manager.unwrap(wrapped.wrapped, { namespace: ROTATION_NAMESPACE, day }))
    if (!sameBytes(kidOf(key), kid)) throw new Integrity('unwrap failure', 'what was unwrapped is another key')
    const guard = { ...wrapped, namespace: ROTATION_NAMESPACE, key }
    if (this.#known.size >= KNOWN_KEYS) this.#known.clear()
    this.#known.set(claim, guard)
    return guard
  }

  async #newGuard(alias: string): Promise<Guard> {
    const manager = managerNamed(this.#parts.managers, alias)
    const day = Math.floor(this.#parts.clock() / DAY_MS)
    const { key, wrapped } = await manager.generate({ namespace: ROTATION_NAMESPACE, day })
    const kid = kidOf(key)
    key.fill(0)
    return this.#unwrap({ tag: manager.tag, alias, day, kid, wrapped })
  }
}

function sealsOf(bytes: Buffer): Buffer[] {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString())
  } catch (error) {
    throw new Integrity('metadata failure', 'a record of a rotation is not JSON', { cause: error })
  }
  const seals: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, 'seals') : undefined
  if (!Array.isArray(seals) || seals.length === 0 || seals.length > MAX_SEALS) throw malformed()
  return seals.map((seal: unknown) => {
    const raw = typeof seal === 'string' ? fromBase64url(seal) : undefined
    if (raw === undefined) throw malformed()
    return raw
  })
}

const malformed = (): Integrity => new Integrity('metadata failure', 'a record of a rotation is not what was written')

function unlessUnavailable(error: unknown): undefined {
  if (error instanceof Unavailable) throw error
  return undefined
}
