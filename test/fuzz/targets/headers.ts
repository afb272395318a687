/** Every header that is read, by every function that reads one. */
import { parseAclHeaders } from '../../../src/s3/acl.ts'
import {
  checksumModeEnabled,
  parseCompleteChecksum,
  parseCopyChecksum,
  parseMultipartChecksum,
  parseTrailerChecksum,
  parseUploadChecksum,
} from '../../../src/s3/checksum-headers.ts'
import { parseObjectSize } from '../../../src/s3/complete-xml.ts'
import {
  evaluateCopySource,
  evaluateRead,
  evaluateWrite,
  parseConditions,
  parseDeleteConditions,
  parseWriteConditions,
  rangeApplies,
} from '../../../src/s3/conditions.ts'
import { parseContentMd5 } from '../../../src/s3/content-md5.ts'
import { parsePreflight } from '../../../src/s3/cors.ts'
import { directive } from '../../../src/s3/copy-source.ts'
import { parseCustomerKey, parseEncryption, parseSourceKey } from '../../../src/s3/encryption-headers.ts'
import { Headers } from '../../../src/s3/headers.ts'
import { judgeAttributes } from '../../../src/s3/kept-attributes.ts'
import { objectHeaders, readContentHeaders, readUserMetadata, readWebsiteRedirect } from '../../../src/s3/metadata.ts'
import { keptHeaders } from '../../../src/s3/native-headers.ts'
import { parseObjectAttributes, parsePartsPage } from '../../../src/s3/object-attributes.ts'
import { parseRetention, renderRetention, retentionOf } from '../../../src/s3/object-lock.ts'
import { TAGGING_HEADER, tagsOfHeader } from '../../../src/s3/tags.ts'
import { rawHeaders } from '../arbitraries.ts'
import { orRefuse, parserTarget } from '../target.ts'

const ETAGS = ['"a"', 'W/"a"', '*', '"a", "b,c"', '&quot;a&quot;', 'a', '"']
const DATES = [
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
  '19941106T084937Z',
]

const input = rawHeaders({
  'if-match': ETAGS,
  'if-none-match': ETAGS,
  'if-range': [...ETAGS, ...DATES],
  'if-modified-since': DATES,
  'if-unmodified-since': DATES,
  'x-amz-copy-source-if-match': ETAGS,
  'x-amz-copy-source-if-none-match': ETAGS,
  'x-amz-copy-source-if-modified-since': DATES,
  'x-amz-copy-source-if-unmodified-since': DATES,
  'content-md5': ['1B2M2Y8AsgTpgAmY7PhCfg==', 'AAAA', ''],
  'content-encoding': ['aws-chunked', 'gzip, aws-chunked', 'AWS-CHUNKED,br'],
  'content-type': ['text/plain', 'a/b; charset="x"'],
  'cache-control': ['no-store'],
  'x-amz-meta-': ['a'],
  'x-amz-meta-name': ['value', 'v'.repeat(2048)],
  'x-amz-checksum-crc32': ['AAAAAA==', 'AAAAAA==-3'],
  'x-amz-checksum-sha256': ['47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
  'x-amz-checksum-md5': ['1B2M2Y8AsgTpgAmY7PhCfg=='],
  'x-amz-checksum-algorithm': ['CRC32', 'sha256', 'CRC64NVME', 'MD5', 'toString'],
  'x-amz-checksum-type': ['COMPOSITE', 'FULL_OBJECT', 'constructor'],
  'x-amz-checksum-mode': ['ENABLED', 'disabled'],
  'x-amz-sdk-checksum-algorithm': ['CRC32', 'SHA1', '__proto__'],
  'x-amz-trailer': ['x-amz-checksum-crc32', 'x-amz-checksum-crc32,x-amz-checksum-sha1', 'x-amz-checksum-type'],
  'x-amz-object-attributes': ['ETag,ObjectParts', 'Checksum', 'constructor'],
  'x-amz-max-parts': ['1', '1000'],
  'x-amz-part-number-marker': ['0'],
  'x-amz-mp-object-size': ['5', '0'],
  'x-amz-metadata-directive': ['COPY', 'REPLACE'],
  origin: ['https://a.example', 'null'],
  'access-control-request-method': ['GET', 'PATCH'],
  'access-control-request-headers': ['x-a, x-b', ''],
  'x-amz-acl': ['private', 'public-read', 'x'],
  'x-amz-grant-read': ['id="me"', 'uri="http://acs.amazonaws.com/groups/global/AllUsers", id=me', 'emailAddress="a@b"'],
  'x-amz-tagging': ['a=b&c=d', 'a=%zz', '=', 'a=b&a=b'],
  'x-amz-storage-class': ['STANDARD_IA', 'GLACIER', 'x'],
  'x-amz-object-lock-legal-hold': ['ON', 'off'],
  'x-amz-object-lock-mode': ['GOVERNANCE', 'COMPLIANCE', 'x'],
  'x-amz-object-lock-retain-until-date': ['2999-01-01T00:00:00Z', '9999-12-31T23:59:59-14:00', '1960-01-01T00:00:00Z'],
  'x-amz-server-side-encryption': ['AES256', 'aws:kms', 'aws:kms:dsse', 'x'],
  'x-amz-server-side-encryption-aws-kms-key-id': ['alias/main', 'arn:aws:kms:a:1:alias/main'],
  'x-amz-server-side-encryption-context': ['e30=', 'x'],
  'x-amz-server-side-encryption-bucket-key-enabled': ['true', 'x'],
  'x-amz-server-side-encryption-customer-algorithm': ['AES256', 'AES128'],
  'x-amz-server-side-encryption-customer-key': ['MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=', 'AAAA'],
  'x-amz-server-side-encryption-customer-key-md5': ['1B2M2Y8AsgTpgAmY7PhCfg==', 'AAAA'],
  'x-amz-website-redirect-location': ['/a', 'https://a.example/'],
})

const VALIDATORS = { etag: 'a', lastModified: new Date(784_111_777_000) }

export const headersTarget = parserTarget('headers', 15, input, (raw) => {
  const headers = new Headers(raw)
  const read = orRefuse(() => parseConditions(headers))
  if (read !== undefined) orRefuse(() => evaluateRead(read, VALIDATORS))
  const source = orRefuse(() => parseConditions(headers, 'x-amz-copy-source-'))
  if (source !== undefined) orRefuse(() => evaluateCopySource(source, VALIDATORS))
  const write = orRefuse(() => parseWriteConditions(headers))
  if (write !== undefined) orRefuse(() => evaluateWrite(write, { etag: 'a' }))
  orRefuse(() => rangeApplies(headers, VALIDATORS))
  for (const parse of PARSERS) orRefuse(() => parse(headers))
  attributes(headers)
  const user = orRefuse(() => readUserMetadata(headers))
  if (user !== undefined) objectHeaders(readContentHeaders(headers), user)
})

/** What is kept can be read again. */
function attributes(headers: Headers): void {
  const kept = orRefuse(() => judgeAttributes(keptHeaders('PutObject', headers), 0))
  if (kept === undefined) return
  tagsOfHeader(kept[TAGGING_HEADER] ?? '')
  const retention = retentionOf(kept)
  if (retention !== undefined) parseRetention(Buffer.from(renderRetention(retention)), 1_000, 0)
}

const PARSERS: readonly ((headers: Headers) => unknown)[] = [
  parseDeleteConditions,
  parseContentMd5,
  parseUploadChecksum,
  parseCopyChecksum,
  parseMultipartChecksum,
  parseCompleteChecksum,
  checksumModeEnabled,
  parseObjectAttributes,
  parseObjectSize,
  parsePartsPage,
  readWebsiteRedirect,
  parseEncryption,
  parseCustomerKey,
  parseSourceKey,
  (headers) => parseAclHeaders(headers, { id: 'me', displayName: 'me' }, 'object'),
  (headers) => parsePreflight((name) => headers.get(name)),
  (headers) => directive(headers, 'x-amz-metadata-directive'),
  (headers) => parseTrailerChecksum('CRC32', headers.get('x-amz-checksum-crc32') ?? ''),
]
