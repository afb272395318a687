/** Objects that were not written through Sealgate: read only where a bucket's contents are declared mixed. */
import type { ObjectInfo } from '../backends/object-store.ts'
import { Integrity } from '../errors.ts'
import type { Tlv } from '../format/tlv.ts'
import { Headers } from '../s3/headers.ts'
import { S3Error } from '../s3/errors.ts'
import { storedUserMetadata } from '../s3/metadata.ts'
import { plaintextSeen } from '../telemetry/channels.ts'
import { opaqueEtag } from './etag.ts'
import type { Gateway } from './gateway.ts'
import { describeContent } from './object-metadata.ts'
import type { Place } from './place.ts'

export interface PlainObject {
  readonly kind: 'plain'
  readonly place: Place
  readonly info: ObjectInfo
  readonly size: number
  /** The client's ETag, without quotes. */
  readonly etag: string
  /** What the store's headers say, as a sealed object would say it. */
  readonly tlvs: readonly Tlv[]
}

/** Throws `AccessDenied` unless the bucket may hold plaintext. A stripped envelope looks the same: docs/threat-model.md. */
export function readPlain(gateway: Gateway, place: Place, info: ObjectInfo): PlainObject {
  const { bucket, key } = place
  if (gateway.rules(bucket).contents !== 'mixed') {
    const cause = new Integrity('envelope failure', `${bucket}/${key} was not written through Sealgate (no envelope)`)
    throw new S3Error('AccessDenied', { cause })
  }
  plaintextSeen.publish({ bucket, key })
  const content = Object.entries(info.content ?? {}).flat()
  const tlvs = describeContent(new Headers(content), storedUserMetadata(info.metadata))
  return { kind: 'plain', place, info, size: info.size, etag: opaqueEtag(info.etag), tlvs }
}
