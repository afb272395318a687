import { newObjectKey } from '../../format/derive.ts'
import { CHECKSUMS, TYPE_CODES } from '../../s3/checksum.ts'
import { parseMultipartChecksum } from '../../s3/checksum-headers.ts'
import { renderInitiateUpload } from '../../s3/result-xml.ts'
import { attributesFor, needsDigest } from '../attributes.ts'
import { encryptionOf } from '../encryption.ts'
import type { Operation } from '../gateway.ts'
import { describeObject } from '../object-metadata.ts'
import { sealDescription } from '../sealed-description.ts'
import { recorded } from './upload-encryption.ts'

/** CreateMultipartUpload: draws the object's key and fixes its metadata; both rest in the state store until the upload ends. */
export const createMultipartUpload: Operation = async (gateway, request) => {
  const { bucket, key, headers } = request
  const checksum = parseMultipartChecksum(headers)
  const attributes = await attributesFor(gateway, 'CreateMultipartUpload', request)
  const place = { bucket, key }
  const tlvs = describeObject(headers)
  const encryption = await encryptionOf(gateway, bucket, headers)
  const objectKey = newObjectKey(gateway.random)
  const description = await sealDescription(gateway, place, {
    objectKey,
    tlvs,
    encryption,
    areaAllowed: true,
  })
  const uploadId = await gateway.store.createUpload(bucket, key, {
    metadata: description.metadata,
    ...attributes,
  })
  const ref = { bucket, key, uploadId }
  try {
    const record = {
      ...ref,
      objectKey,
      envelope: description.envelope,
      area: description.area,
      checksum:
        checksum === undefined
          ? undefined
          : { algorithm: CHECKSUMS[checksum.name].code, type: TYPE_CODES[checksum.type] },
      encryption: recorded(encryption),
      ...(needsDigest(gateway, attributes) ? { locked: true } : {}),
      initiated: description.writeTime,
    }
    await gateway.uploads.create(description.namespace, record, encryption.manager)
  } catch (error) {
    await gateway.store.abortUpload(ref).catch(() => undefined)
    throw error
  }
  return {
    status: 200,
    headers: {
      ...encryption.headers,
      ...(checksum === undefined
        ? {}
        : { 'x-amz-checksum-algorithm': checksum.name, 'x-amz-checksum-type': checksum.type }),
    },
    body: renderInitiateUpload(ref),
  }
}
