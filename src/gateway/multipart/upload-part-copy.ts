import { evaluateCopySource, parseConditions } from '../../s3/conditions.ts'
import { checkCopySize, checkCopySourceRange, parseCopySourceRange } from '../../s3/copy-source.ts'
import { parseSourceKey } from '../../s3/encryption-headers.ts'
import { parsePartNumber } from '../../s3/range.ts'
import { renderCopyPart } from '../../s3/result-xml.ts'
import { headSource, sourceOf, sourceVersion } from '../copy-object.ts'
import { keepsMd5 } from '../etag.ts'
import type { Operation } from '../gateway.ts'
import { openRange, readWhole } from '../read-body.ts'
import { rereading } from '../sealed-object.ts'
import { storePart } from './store-part.ts'
import { encryptionOfPart } from './upload-encryption.ts'
import { partChecksumOf } from './upload-part.ts'
import { uploadOf } from './upload-of.ts'

/** UploadPartCopy: a range of another object is decrypted and sealed as a part, since key, salt and part number differ. */
export const uploadPartCopy: Operation = async (gateway, request) => {
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '')
  const source = sourceOf(gateway, request)
  const asked = parseCopySourceRange(request.headers.get('x-amz-copy-source-range'))
  const sourceKey = parseSourceKey(request.headers)
  const upload = await uploadOf(gateway, request)
  const encryption = await encryptionOfPart(gateway, request, upload)
  const { body, length, copied } = await rereading(async () => {
    const sealed = await headSource(gateway, source, sourceKey)
    evaluateCopySource(parseConditions(request.headers, 'x-amz-copy-source-'), {
      etag: sealed.etag,
      lastModified: sealed.info.lastModified,
    })
    if (asked !== undefined) checkCopySourceRange(asked, sealed.size)
    const bytes = asked === undefined ? sealed.size : asked.last - asked.first + 1
    checkCopySize(bytes)
    const { signal } = request
    const body =
      asked === undefined ? await readWhole(gateway, sealed, signal) : await openRange(gateway, sealed, asked, signal)
    return { body, length: bytes, copied: sealed }
  })
  const name = partChecksumOf(gateway, upload.record)
  const { verified, etag } = await storePart(gateway, {
    upload,
    partNumber,
    length,
    body,
    claims: {
      length,
      contentMd5: undefined,
      keepMd5: keepsMd5(gateway),
      checksum: { kind: 'none' },
      extraChecksum: name,
    },
    trailers: () => ({}),
    signal: request.signal,
  })
  const { checksum } = verified
  return {
    status: 200,
    headers: { ...encryption, ...sourceVersion(copied) },
    body: renderCopyPart({
      etag,
      lastModified: new Date(gateway.clock()),
      ...(checksum === undefined
        ? {}
        : { checksum: { name: checksum.name, type: 'FULL_OBJECT', value: checksum.value } }),
    }),
  }
}
