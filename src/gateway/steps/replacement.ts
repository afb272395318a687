/** Putting another object in the place of the one that was read, and of no other. */
import { StoreError, type ObjectInfo, type WriteCondition } from '../../backends/object-store.ts'
import { locksOf } from '../../s3/object-lock.ts'
import { childText, type XmlElement } from '../../s3/xml.ts'
import type { StepObject } from '../../object-step.ts'
import type { ForStore } from '../attributes.ts'
import type { Gateway } from '../gateway.ts'
import { subresourceOf } from '../native-subresource.ts'
import type { Place } from '../place.ts'
import { presentInfo } from '../sealed-object.ts'
import type { Kept } from './kept-attributes.ts'
import { OncePerBucket } from './once-per-bucket.ts'
import { foundInfo } from './step.ts'

export interface ReplacementOptions {
  /** Whoever runs the job says that nobody else writes meanwhile. */
  readonly offline?: boolean
  /** A version under Object Lock stays, and gets a newer one beside it. */
  readonly besideLocked?: boolean
}

/** What was found where a listing had shown an object. */
export interface Found {
  readonly place: Place
  readonly info: ObjectInfo
  readonly isLatest: boolean
}

/** What is there now: of the newest version whatever it has become. `undefined` if it is gone. */
export async function findObject(gateway: Gateway, object: StepObject): Promise<Found | undefined> {
  const { bucket, key, versionId, isLatest } = object
  const place = isLatest || versionId === undefined ? { bucket, key } : { bucket, key, versionId }
  const info = await foundInfo(gateway, place)
  return info === undefined ? undefined : { place, info, isLatest }
}

/** Where something is to be written, and what lies there. */
interface Target extends Omit<Found, 'info'> {
  readonly info: ObjectInfo | undefined
}

export interface Replacement {
  readonly condition: WriteCondition | undefined
  readonly attributes: ForStore
  /** The last look, for what the condition does not tell: throws if there is another object by now. */
  readonly confirm: () => Promise<void>
}

/** Of one run: what may be replaced, and how. */
export class Replacements {
  readonly #gateway: Gateway
  readonly #options: ReplacementOptions
  /** By bucket, whether what is overwritten stays as a version. */
  readonly #keepsVersions: OncePerBucket<boolean>

  constructor(gateway: Gateway, options: ReplacementOptions) {
    this.#gateway = gateway
    this.#options = options
    this.#keepsVersions = new OncePerBucket((bucket, signal) => keepsVersions(gateway, bucket, signal))
  }

  /** Why what lies there must stay as it is; `undefined` if it need not. `decided`: the store decides a condition on the write. */
  async bar({ place, info, isLatest }: Target, decided: boolean, signal: AbortSignal): Promise<string | undefined> {
    const { besideLocked, offline } = this.#options
    if (!isLatest) return 'it is an earlier version, of which only a new version could be made'
    if (besideLocked !== true && isLocked(info, this.#gateway.clock())) return 'it is under Object Lock'
    if (decided || offline === true || (await this.#keepsVersions.of(place.bucket, signal))) return undefined
    return 'the store decides no condition on the write: stop the writers and use --offline'
  }

  /** For a place that has no bar. `kept`: what lies beside the object that goes there, whose change no condition tells. */
  of(target: Target, decided: boolean, kept: Kept): Replacement {
    const { info } = target
    // A store that speaks S3 may give equal bytes with other metadata the ETag that they had before.
    const told = decided && (info === undefined || !this.#gateway.store.capabilities.native)
    return {
      condition: conditionOf(target, decided),
      attributes: kept.forStore,
      confirm: async () => {
        if (!told) await this.requireSame(target)
        await kept.confirm()
      },
    }
  }

  /** Throws `precondition-failed` if another object lies there by now. */
  async requireSame({ place, info }: Target): Promise<void> {
    if (isSame(await presentInfo(this.#gateway, place), info)) return
    throw new StoreError('precondition-failed', 'the object was overwritten meanwhile')
  }
}

/** Of a write that the store decides under a condition. */
export function conditionOf({ info }: Pick<Target, 'info'>, decided: boolean): WriteCondition | undefined {
  if (!decided) return undefined
  return info === undefined ? { ifNoneMatch: '*' } : { ifMatch: info.etag }
}

/** Whether an overwritten object of the bucket stays there as an earlier version. */
export async function keepsVersions(gateway: Gateway, bucket: string, signal: AbortSignal): Promise<boolean> {
  const { store } = gateway
  const { versions, native } = store.capabilities
  if (!versions) return false
  if (!native) return (await store.headBucket(bucket))?.versioning === 'Enabled'
  const read = { signal, read: (document: XmlElement) => childText(document, 'Status') }
  return (await subresourceOf(gateway, { bucket, key: '' }, 'versioning', read)) === 'Enabled'
}

const isLocked = (info: ObjectInfo | undefined, now: number): boolean =>
  Object.keys(locksOf(info?.attributes ?? {}, now)).length > 0

const isSame = (a: ObjectInfo | undefined, b: ObjectInfo | undefined): boolean => signsOf(a) === signsOf(b)

/** Sealed metadata is drawn anew by every write; plaintext has none, and a time. Locks come and go without a write. */
function signsOf(info: ObjectInfo | undefined): string | undefined {
  if (info === undefined) return undefined
  const { etag, versionId, metadata, lastModified, attributes = {} } = info
  return JSON.stringify([etag, versionId, metadata['sg-m'], lastModified.getTime(), locksOf(attributes, 0)])
}
