/** What a copy that is written anew says of tags and the like to a store that speaks S3: it is a PUT there. */
import { Unavailable } from '../errors.ts'
import { encodeComponent } from '../s3/auth/canonical-request.ts'
import { taggingOf, withoutDirectives } from '../s3/copied-tags.ts'
import { NativeError } from '../s3/errors.ts'
import { TAGGING_HEADER } from '../s3/tags.ts'
import { parseXml } from '../s3/xml.ts'
import type { ForStore } from './attributes.ts'
import { drained } from './forward.ts'
import type { Gateway } from './gateway.ts'
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
  { store, limits }: Gateway,
  { place, info }: StoredObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (store.forward === undefined) return undefined
  const { versionId } = atVersion(place.versionId === undefined ? info : place)
  const { bucket, key } = place
  const response = await store.forward({
    method: 'GET',
    bucket,
    key,
    rawQuery: `tagging=${versionId === undefined ? '' : `&versionId=${encodeComponent(versionId)}`}`,
    headers: {},
    body: Buffer.alloc(0),
    signal,
  })
  const { refused } = response
  // A store that has no tags at all: there are none to carry over.
  if (refused !== undefined && (refused.status === 501 || refused.status === 405)) return undefined
  if (refused !== undefined) throw new NativeError(refused, undefined)
  try {
    return taggingOf(parseXml(await drained(response.body), limits.xmlBytes))
  } catch (cause) {
    throw new Unavailable('the tags that the store gave cannot be read', { cause })
  }
}
