/**
 * Sub-resources that the gateway hands on. A store that does not know one takes the request for one on the bucket or the object
 * itself: a PUT overwrites the object, a DELETE deletes the bucket. So each is declared by the profile, and tried.
 */

/** Of AWS's reports and settings that few others have. */
const RARE = [
  'bucket?accelerate',
  'bucket?analytics',
  'bucket?intelligent-tiering',
  'bucket?inventory',
  'bucket?metrics',
] as const

/** What most stores have in common. */
export const COMMON_SUBRESOURCES = [
  'bucket?acl',
  'bucket?lifecycle',
  'bucket?object-lock',
  'bucket?tagging',
  'bucket?versioning',
  'bucket?versions',
  'object?acl',
  'object?legal-hold',
  'object?retention',
  'object?tagging',
] as const

/** All that is ever forwarded. */
export const SUBRESOURCES = [
  ...COMMON_SUBRESOURCES,
  'bucket?logging',
  'bucket?notification',
  'bucket?ownershipControls',
  'bucket?publicAccessBlock',
  'bucket?replication',
  'bucket?requestPayment',
  'object?restore',
  ...RARE,
] as const

export type Subresource = (typeof SUBRESOURCES)[number]

export const isSubresource = (name: string): name is Subresource => SUBRESOURCES.some((one) => one === name)

export interface SubresourceFlags {
  readonly versions: boolean
  readonly tags: boolean
  readonly objectLock: boolean
}

/** What belongs to versions, object tags and Object Lock is known only where those are. */
const NEEDS: Readonly<Partial<Record<Subresource, keyof SubresourceFlags>>> = {
  'bucket?versioning': 'versions',
  'bucket?versions': 'versions',
  'object?tagging': 'tags',
  'bucket?object-lock': 'objectLock',
  'object?legal-hold': 'objectLock',
  'object?retention': 'objectLock',
}

/** The sub-resources that may be handed on to a store with this profile. */
export function forwardable(
  profile: SubresourceFlags & { readonly subresources: readonly Subresource[] },
): ReadonlySet<string> {
  return new Set(
    profile.subresources.filter((name) => {
      const need = NEEDS[name]
      return need === undefined || profile[need]
    }),
  )
}
