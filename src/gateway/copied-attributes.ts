/** What a copy that is written anew says of tags and the like to a store that speaks S3: it is a PUT there. */
import { taggingOf, withoutDirectives } from '../s3/copied-tags.ts'
import { TAGGING_HEADER } from '../s3/tags.ts'
import type { ForStore } from './attributes.ts'
import type { Gateway } from './gateway.ts'
import { subresourceOf } from './native-subresource.ts'
import { atVersion } from './place.ts'
import type { StoredObject } from './sealed-object.ts'

/** The attributes of the PUT: those of the request, and the tags of the source unless the request replaces them (B68). */
export async function attributesOfPut(
  gateway: Gateway,
  sealed: StoredObject,
  given: ForStore,
  signal: AbortSignal,
): Promise<ForStore> {
  const { native, forwards } = gateway.store.capabilities
  const { attributes } = given
  if (!native || attributes === undefined) return given
  const others = withoutDirectives(attributes)
  const keeps = attributes['x-amz-tagging-directive'] !== 'REPLACE' && forwards?.has('object?tagging') === true
  const tagging = keeps ? await tagsOf(gateway, sealed, signal) : others[TAGGING_HEADER]
  return { attributes: { ...others, ...(tagging === undefined ? {} : { [TAGGING_HEADER]: tagging }) } }
}

/** The tags of the very version that is copied. Throws what the store refuses. */
async function tagsOf(
  gateway: Gateway,
  { place, info }: StoredObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { bucket, key } = place
  const version = atVersion(place.versionId === undefined ? info : place)
  // A store that has no tags at all: there are none to carry over.
  return subresourceOf(gateway, { bucket, key, ...version }, 'tagging', { signal, read: taggingOf })
}
