import { checksumOfCode, typeOfCode } from '../../s3/checksum.ts'
import { parseListParts } from '../../s3/listing-parameters.ts'
import { type ListedPart, renderListParts } from '../../s3/listing-other-xml.ts'
import type { JournalEntry } from '../../state/uploads.ts'
import type { Operation } from '../gateway.ts'
import { currentParts } from './current-parts.ts'
import { checkOptionalKey } from './upload-encryption.ts'
import { uploadOf } from './upload-of.ts'

/** ListParts, answered from the journal: plaintext sizes and the client's ETags. */
export const listParts: Operation = async (gateway, request) => {
  const asked = parseListParts(request.query)
  const upload = await uploadOf(gateway, request)
  checkOptionalKey(request, upload)
  const { choices } = await currentParts(gateway, upload)
  const following = choices.filter(({ partNumber }) => partNumber > asked.partNumberMarker)
  const page = following.slice(0, asked.maxParts)
  const { checksum } = upload.record
  const row = checksum === undefined ? undefined : checksumOfCode(checksum.algorithm)
  return {
    status: 200,
    body: renderListParts({
      bucket: request.bucket,
      key: request.key,
      request: asked,
      owner: gateway.owner,
      parts: page.map((choice) => listed(choice.shown)),
      truncated: asked.maxParts > 0 && page.length < following.length,
      ...(checksum === undefined || row === undefined
        ? {}
        : { checksum: { name: row.name, type: typeOfCode(checksum.type) } }),
    }),
  }
}

function listed({ partNumber, at, clientEtag, bytes, checksum }: JournalEntry): ListedPart {
  const row = checksum === undefined ? undefined : checksumOfCode(checksum.algorithm)
  return {
    partNumber,
    lastModified: at,
    etag: clientEtag,
    size: bytes,
    ...(checksum === undefined || row === undefined ? {} : { checksum: { name: row.name, value: checksum.value } }),
  }
}
