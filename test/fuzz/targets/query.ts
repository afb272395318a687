/** Queries, continuation tokens and ranges. */
import fc from 'fast-check'
import { decodeToken, encodeToken } from '../../../src/s3/continuation-token.ts'
import { Headers } from '../../../src/s3/headers.ts'
import {
  parseListBuckets,
  parseListObjects,
  parseListObjectsV2,
  parseListParts,
  parseListUploads,
  parseListVersions,
} from '../../../src/s3/listing-parameters.ts'
import { responseOverrides } from '../../../src/s3/metadata.ts'
import { Query } from '../../../src/s3/query.ts'
import { contentRange, parseRange, requestedPart, resolvePart, resolveRange } from '../../../src/s3/range.ts'
import { anyText, near, rawQuery } from '../arbitraries.ts'
import { orRefuse, parserTarget } from '../target.ts'

const TOKENS = [
  encodeToken('objects', { after: 'a/b', afterPrefix: true }),
  encodeToken('buckets', { after: 'a', afterPrefix: false }),
]

const query = rawQuery({
  'list-type': ['2', '1'],
  prefix: ['a', 'a%2F', '%C3%BC', '%00'],
  delimiter: ['/', '%', '', '%0a'],
  marker: ['a'],
  'key-marker': ['a'],
  'upload-id-marker': ['x'],
  'version-id-marker': ['null'],
  'start-after': ['a'],
  'continuation-token': TOKENS,
  'max-keys': ['0', '1000', '1001'],
  'max-parts': ['1'],
  'max-uploads': ['1'],
  'max-buckets': ['1'],
  'part-number-marker': ['0'],
  partNumber: ['1', '10000'],
  uploadId: ['x'],
  'encoding-type': ['url', 'URL'],
  'fetch-owner': ['true'],
  'response-content-type': ['text%2Fplain', '%0d%0a'],
  'response-expires': ['x'],
})

const PARSERS = [
  parseListObjects,
  parseListObjectsV2,
  parseListBuckets,
  parseListParts,
  parseListUploads,
  parseListVersions,
]

export const queryTarget = parserTarget('query', 15, query, (raw) => {
  let parsed: Query
  try {
    parsed = new Query(raw)
  } catch (error) {
    // The request line turns it into InvalidURI.
    if (error instanceof URIError) return
    throw error
  }
  for (const parse of PARSERS) orRefuse(() => parse(parsed))
  orRefuse(() => responseOverrides(parsed, true))
  orRefuse(() => requestedPart(new Headers([]), parsed))
})

const start = fc.record({ after: fc.string({ unit: 'grapheme', maxLength: 40 }), afterPrefix: fc.boolean() })

const token = fc.oneof(
  near(...TOKENS),
  anyText,
  start.map((one) => encodeToken('objects', one)),
)

export const tokenTarget = parserTarget('continuation token', 5, token, (text) => {
  const found = orRefuse(() => decodeToken('objects', text))
  if (found !== undefined && encodeToken('objects', found) !== text)
    throw new Error('another token means the same place')
  orRefuse(() => decodeToken('buckets', text))
})

const range = fc.record({
  header: near(
    'bytes=0-',
    'bytes=0-4',
    'bytes=-1',
    'bytes=5-2',
    'bytes=0-0,2-3',
    'bytes=9007199254740992-9007199254740993',
  ),
  size: fc.oneof(fc.nat(10), fc.constantFrom(5 * 1024 ** 4, Number.MAX_SAFE_INTEGER)),
  part: fc.nat(12),
})

export const rangeTarget = parserTarget('range', 5, range, ({ header, size, part }) => {
  const asked = parseRange(header)
  const found = asked === undefined ? undefined : orRefuse(() => resolveRange(asked, size))
  if (found !== undefined) {
    const inside = found.first >= 0 && found.first <= found.last && found.last < size
    if (!inside) throw new Error(`${contentRange(found, size)} is no part of the object`)
  }
  orRefuse(() => resolvePart(part, [1, 0, size], size + 1))
})
