/** What lies beside an object in its store and must lie beside the one that takes its place: storage class, tags, locks in force, grants. */
import { type Attributes, StoreError } from '../../backends/object-store.ts'
import { grantHeadersOf } from '../../s3/acl.ts'
import { locksOf, withoutLocks } from '../../s3/object-lock.ts'
import { childText, type XmlElement } from '../../s3/xml.ts'
import { type ForStore, retained } from '../attributes.ts'
import { requireBucket } from '../configuration/configuration.ts'
import { attributesOfPut } from '../copied-attributes.ts'
import type { Gateway } from '../gateway.ts'
import { subresourceOf } from '../native-subresource.ts'
import { ACL } from '../object-acl-headers.ts'
import { atVersion, type Place } from '../place.ts'
import type { StoredObject } from '../sealed-object.ts'
import { OncePerBucket } from './once-per-bucket.ts'

const STORAGE_CLASS = 'x-amz-storage-class'

export interface Kept {
  readonly forStore: ForStore
  /** Throws `precondition-failed` if they were changed since they were read. */
  readonly confirm: () => Promise<void>
}

/** Reads them for many objects of the same buckets. */
export class KeptAttributes {
  readonly #gateway: Gateway
  /** By bucket, whether single objects may have grants of their own. */
  readonly #grants: OncePerBucket<boolean>

  constructor(gateway: Gateway) {
    this.#gateway = gateway
    this.#grants = new OncePerBucket((bucket, signal) => mayGrant(gateway, bucket, signal))
  }

  /** `copied`: by the store, which carries tags over by itself. Locks and grants go along in the same bucket alone: another has rules of its own. */
  async of(object: StoredObject, target: Place, copied: boolean, signal: AbortSignal): Promise<Kept> {
    const { store } = this.#gateway
    if (!store.capabilities.versions) return { forStore: {}, confirm: async () => undefined }
    const { read, forStore } = store.capabilities.native
      ? { read: () => this.#native(object, target, copied, signal), forStore: async (kept: ForStore) => kept }
      : await this.#judged(object, target)
    const kept = await read()
    return {
      forStore: await forStore(kept),
      confirm: async () => {
        if (JSON.stringify(await read()) === JSON.stringify(kept)) return
        throw new StoreError('precondition-failed', 'what lies beside the object was changed meanwhile')
      },
    }
  }

  async #native(object: StoredObject, target: Place, copied: boolean, signal: AbortSignal): Promise<ForStore> {
    const { place, info } = object
    const shown = info.attributes ?? {}
    const storageClass = shown[STORAGE_CLASS]
    const attributes = {
      ...(storageClass === undefined ? {} : { [STORAGE_CLASS]: storageClass }),
      ...(place.bucket === target.bucket ? locksOf(shown, this.#gateway.clock()) : {}),
      ...(place.bucket === target.bucket ? await this.#grantsOf(object, signal) : {}),
    }
    return copied ? { attributes } : attributesOfPut(this.#gateway, object, { attributes }, signal)
  }

  /** A store that only keeps them gives them back as they were given. */
  async #judged({ place, info }: StoredObject, target: Place) {
    const { store, clock } = this.#gateway
    const found = await requireBucket(this.#gateway, target.bucket)
    return {
      read: async (): Promise<ForStore> =>
        (await store.attributesOf?.(place.bucket, place.key, atVersion(info))) ?? { attributes: {} },
      forStore: async ({ attributes = {} }: ForStore): Promise<ForStore> => {
        const { [ACL]: grants, ...kept } = withoutLocks(attributes)
        const ofBucket = grants === undefined ? {} : { [ACL]: grants }
        const carried = place.bucket === target.bucket ? { ...ofBucket, ...locksOf(attributes, clock()) } : {}
        return { attributes: await retained(this.#gateway, found, { ...kept, ...carried }) }
      },
    }
  }

  async #grantsOf({ place, info }: StoredObject, signal: AbortSignal): Promise<Attributes> {
    if (!(await this.#grants.of(place.bucket, signal))) return {}
    const { bucket, key } = place
    const read = { signal, read: grantHeadersOf }
    return (await subresourceOf(this.#gateway, { bucket, key, ...atVersion(info) }, 'acl', read)) ?? {}
  }
}

/** Whether objects of the bucket may have ACLs of their own: not where its owner has taken them out of use. */
async function mayGrant(gateway: Gateway, bucket: string, signal: AbortSignal): Promise<boolean> {
  if (gateway.store.capabilities.objectGrants !== true) return false
  const read = (document: XmlElement): string | undefined => {
    const rule = document.children.find(({ name }) => name === 'Rule')
    return rule === undefined ? undefined : childText(rule, 'ObjectOwnership')
  }
  const ownership = await subresourceOf(gateway, { bucket, key: '' }, 'ownershipControls', { signal, read }).catch(
    noControls,
  )
  return ownership !== 'BucketOwnerEnforced'
}

/** Throws all but the answer that a bucket has none. */
function noControls(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'OwnershipControlsNotFoundError') return undefined
  throw error
}
