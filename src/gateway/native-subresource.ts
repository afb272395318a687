/** What a store that speaks S3 says under a sub-resource, asked by the gateway itself. */
import { Unavailable } from '../errors.ts'
import { encodeComponent } from '../s3/auth/canonical-request.ts'
import { NativeError } from '../s3/errors.ts'
import { parseXml, type XmlElement } from '../s3/xml.ts'
import { drained } from './forward.ts'
import type { Gateway } from './gateway.ts'
import type { Place } from './place.ts'

/** What `read` makes of its document; `undefined` from a store that has no such thing at all. Throws what the store refuses, `Unavailable` for what cannot be read. */
export async function subresourceOf<T>(
  { store, limits }: Gateway,
  { bucket, key, versionId }: Place,
  name: string,
  { signal, read }: { readonly signal: AbortSignal; readonly read: (document: XmlElement) => T },
): Promise<T | undefined> {
  const of = key === '' ? 'bucket' : 'object'
  if (store.forward === undefined || store.capabilities.forwards?.has(`${of}?${name}`) !== true) return undefined
  const response = await store.forward({
    method: 'GET',
    bucket,
    key,
    rawQuery: `${name}=${versionId === undefined ? '' : `&versionId=${encodeComponent(versionId)}`}`,
    headers: {},
    body: Buffer.alloc(0),
    signal,
  })
  const { refused } = response
  if (refused !== undefined && (refused.status === 501 || refused.status === 405)) return undefined
  if (refused !== undefined) throw new NativeError(refused, undefined)
  try {
    return read(parseXml(await drained(response.body), limits.xmlBytes))
  } catch (cause) {
    throw new Unavailable(`what the store gave under ?${name} cannot be read`, { cause })
  }
}
