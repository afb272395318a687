/** What still needs a key manager: nothing of it could be opened once that is gone. */
import type { ObjectStore } from '../backends/object-store.ts'
import { Integrity } from '../errors.ts'
import { parseEnvelope } from '../format/envelope.ts'
import { fromStoredMetadata } from '../format/metadata.ts'
import type { WrappedBucketKey } from '../keys/key-manager.ts'
import type { AbandonedUploads } from '../state/abandoned-uploads.ts'
import type { StateKeyring } from '../state/keyring.ts'
import { type JobObject, walkPages } from './walk.ts'

export interface ManagerNeeds {
  /** Records of the keyring. */
  readonly keys: number
  /** Uploads in progress whose key the keyring does not have by another manager. */
  readonly uploads: number
  /** Keys in use, likewise. */
  readonly slots: number
}

export interface NeedsParts {
  readonly keyring: StateKeyring
  readonly abandonedUploads: AbandonedUploads
}

/** Aliases by kid in hex: who has wrapped what the keyring has. */
type Wrappers = ReadonlyMap<string, string>

/** Counts what needs the manager of that alias. Throws `Unavailable`, and the signal's reason. */
export async function needsOf(parts: NeedsParts, alias: string, signal?: AbortSignal): Promise<ManagerNeeds> {
  const { keyring, abandonedUploads } = parts
  const wrappers = await wrappersOf(keyring, signal)
  const keys = [...wrappers.values()].filter((one) => one === alias).length
  let uploads = 0
  for await (const { id, created } of abandonedUploads.scan()) {
    signal?.throwIfAborted()
    const wrapped = created ? await abandonedUploads.needs(id).catch(unlessDamaged) : undefined
    if (wrapped !== undefined && isNeeded(wrapped, alias, wrappers)) uploads += 1
  }
  let slots = 0
  for await (const entries of keyring.slots(alias, signal)) {
    slots += entries.filter(({ record }) => record !== undefined && isNeeded(record, alias, wrappers)).length
  }
  return { keys, uploads, slots }
}

/** As people are told. */
export function needsInWords({
  keys,
  uploads,
  slots,
  objects = 0,
}: ManagerNeeds & { readonly objects?: number }): string {
  const counts = { 'bucket keys': keys, 'uploads in progress': uploads, 'keys in use': slots, objects }
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')
}

function isNeeded(
  { alias: named, kid }: Pick<WrappedBucketKey, 'alias' | 'kid'>,
  alias: string,
  wrappers: Wrappers,
): boolean {
  return named === alias && (wrappers.get(kid.toString('hex')) ?? alias) === alias
}

async function wrappersOf(keyring: StateKeyring, signal?: AbortSignal): Promise<Wrappers> {
  const found = new Map<string, string>()
  for await (const entries of keyring.entries(signal)) {
    for (const { kid, record } of entries) {
      if (record !== undefined) found.set(kid, record.alias)
    }
  }
  return found
}

/** What a look at the objects found. */
export interface ObjectNeeds {
  readonly examined: number
  /** Objects whose key the keyring does not have: they open only by what wrapped the key that they carry. */
  readonly unrecorded: number
  /** Those of them that carry a key of this manager. */
  readonly needing: number
  /** `bucket/key`, with `?versionId=` for one version, of the first of them. */
  readonly examples: readonly string[]
  /** Envelopes that cannot be read. */
  readonly unreadable: number
}

export type ScannedStore = Pick<ObjectStore, 'listBuckets' | 'list' | 'listVersions' | 'head' | 'capabilities'>

export interface ScanOptions {
  readonly signal?: AbortSignal
  /** Hears of each object that was looked at. */
  readonly onObjects?: (count: number) => void
}

const PARALLEL = 16
const EXAMPLES = 10

/** Looks at every object and version, one request each. Throws what the store throws, and the signal's reason. */
export async function scanObjects(
  { store, keyring }: { readonly store: ScannedStore; readonly keyring: StateKeyring },
  alias: string,
  { signal, onObjects = () => undefined }: ScanOptions = {},
): Promise<ObjectNeeds> {
  const wrappers = await wrappersOf(keyring, signal)
  const found = { examined: 0, unrecorded: 0, needing: 0, examples: new Array<string>(), unreadable: 0 }
  const buckets = (await store.listBuckets()).map(({ name }) => name).sort()
  for await (const page of walkPages(store, { buckets, prefix: '', allVersions: true })) {
    for (let at = 0; at < page.length; at += PARALLEL) {
      signal?.throwIfAborted()
      const some = page.slice(at, at + PARALLEL).map(({ object }) => object)
      const keys = await Promise.all(some.map((object) => keyOf(store, object)))
      keys.forEach((key, i) => count(found, { key, alias, wrappers, object: some[i] }))
      onObjects(some.length)
    }
  }
  return found
}

interface Looked {
  readonly key: WrappedBucketKey | 'none' | 'unreadable'
  readonly alias: string
  readonly wrappers: Wrappers
  readonly object: JobObject | undefined
}

function count(
  found: { examined: number; unrecorded: number; needing: number; examples: string[]; unreadable: number },
  { key, alias, wrappers, object }: Looked,
): void {
  found.examined += 1
  if (key === 'unreadable') found.unreadable += 1
  if (typeof key === 'string' || wrappers.has(key.kid.toString('hex'))) return
  found.unrecorded += 1
  if (key.alias !== alias) return
  found.needing += 1
  if (object !== undefined && found.examples.length < EXAMPLES) found.examples.push(nameOf(object))
}

/** `none`: no bucket key wraps it, because it is a customer's, lies in plaintext, or is gone. */
async function keyOf(store: ScannedStore, { bucket, key, versionId }: JobObject): Promise<Looked['key']> {
  const info = await store.head(bucket, key, versionId === undefined ? {} : { versionId })
  if (info === undefined) return 'none'
  try {
    const stored = fromStoredMetadata(info.metadata)
    if (stored === 'foreign') return 'none'
    const envelope = parseEnvelope(stored.envelope)
    return envelope.alias === '' ? 'none' : envelope
  } catch (error) {
    if (error instanceof Integrity) return 'unreadable'
    throw error
  }
}

const nameOf = ({ bucket, key, versionId }: JobObject): string =>
  `${bucket}/${key}${versionId === undefined || versionId === 'null' ? '' : `?versionId=${versionId}`}`

function unlessDamaged(error: unknown): undefined {
  if (error instanceof Integrity) return undefined
  throw error
}
