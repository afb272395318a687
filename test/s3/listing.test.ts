import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeToken, encodeToken } from '../../src/s3/continuation-token.ts'
import { encodeListName } from '../../src/s3/list-name.ts'
import {
  parseListBuckets,
  parseListObjects,
  parseListObjectsV2,
  parseListParts,
  parseListUploads,
} from '../../src/s3/listing-parameters.ts'
import { codeOf, query } from './requests.ts'

const v1 = (raw: string) => parseListObjects(query(raw))
const v2 = (raw: string) => parseListObjectsV2(query(`list-type=2&${raw}`))
const ALL = [v1, v2]

describe('max-keys (B84)', () => {
  test.each([
    ['', 1000],
    ['max-keys=', 1000],
    ['max-keys=0', 0],
    ['max-keys=7', 7],
    ['max-keys=1000', 1000],
    ['max-keys=1001', 1000],
    ['max-keys=2147483647', 1000],
  ])('%j asks for %i', (raw, count) => {
    for (const parse of ALL) expect(parse(raw).maxKeys).toBe(count)
  })

  test.each(['2147483648', '-1', 'blah', '1.5', '1e3', '%201', '99999999999999999999'])(
    '%s is InvalidArgument',
    (text) => {
      for (const parse of ALL) expect(codeOf(() => parse(`max-keys=${text}`))).toBe('InvalidArgument')
    },
  )
})

describe('Listing parameters', () => {
  test('an empty delimiter is none (B90)', () => {
    for (const parse of ALL) {
      expect(parse('delimiter=').delimiter).toBeUndefined()
      expect(parse('delimiter=%0A').delimiter).toBe('\n')
      expect(parse('delimiter=%25').delimiter).toBe('%')
      expect(parse('delimiter=ab').delimiter).toBe('ab')
    }
  })

  test('encoding-type is url or nothing (B89)', () => {
    for (const parse of ALL) {
      expect(parse('encoding-type=url').encode).toBe(true)
      expect(parse('').encode).toBe(false)
      expect(codeOf(() => parse('encoding-type=base64'))).toBe('InvalidArgument')
    }
  })

  test('the owner is shown in version 1, and in version 2 on demand (B91)', () => {
    expect(v1('').fetchOwner).toBe(true)
    expect(v2('').fetchOwner).toBe(false)
    expect(v2('fetch-owner=false').fetchOwner).toBe(false)
    expect(v2('fetch-owner=true').fetchOwner).toBe(true)
  })

  test('a list-type other than 2 is InvalidArgument', () => {
    expect(codeOf(() => parseListObjectsV2(query('list-type=3')))).toBe('InvalidArgument')
  })

  test('the marker need not exist and is echoed (B86)', () => {
    expect(v1('marker=a%2Fb')).toMatchObject({ marker: 'a/b', start: { after: 'a/b', afterPrefix: false } })
    expect(v1('marker=').start).toBeUndefined()
  })

  test('a marker inside a common prefix, or equal to one, skips all of it (B88)', () => {
    const skip = { after: 'p/a/', afterPrefix: true }
    expect(v1('prefix=p/&delimiter=/&marker=p/a/').start).toEqual(skip)
    expect(v1('prefix=p/&delimiter=/&marker=p/a/b').start).toEqual(skip)
    expect(v1('prefix=p/&delimiter=/&marker=p/a').start).toEqual({ after: 'p/a', afterPrefix: false })
    expect(v1('prefix=p/&delimiter=/&marker=q/a').start).toEqual({ after: 'q/a', afterPrefix: false })
    expect(v2('prefix=p/&delimiter=/&start-after=p/a/b').start).toEqual(skip)
  })

  test('the continuation token wins over start-after, and both are echoed (B87)', () => {
    const start = { after: 'x/', afterPrefix: true }
    const token = encodeToken('objects', start)
    expect(v2(`start-after=b&continuation-token=${token}`)).toMatchObject({
      start,
      startAfter: 'b',
      continuationToken: token,
    })
    expect(v2('start-after=b')).toMatchObject({ start: { after: 'b', afterPrefix: false }, startAfter: 'b' })
  })

  test.each(['', 'garbage', 'AQ', 'AQEAYQ%3D%3D', encodeToken('buckets', { after: 'a', afterPrefix: false })])(
    'the bad token %j is InvalidArgument (B87)',
    (token) => {
      expect(codeOf(() => v2(`continuation-token=${token}`))).toBe('InvalidArgument')
    },
  )

  test('buckets are paged by 1 to 10,000 (B94)', () => {
    const token = encodeToken('buckets', { after: 'b', afterPrefix: false })
    expect(parseListBuckets(query())).toEqual({})
    expect(parseListBuckets(query(`max-buckets=10000&prefix=p&bucket-region=r&continuation-token=${token}`))).toEqual({
      maxBuckets: 10_000,
      prefix: 'p',
      after: 'b',
      bucketRegion: 'r',
    })
    for (const text of ['0', '10001', '-1', 'x']) {
      expect(codeOf(() => parseListBuckets(query(`max-buckets=${text}`)))).toBe('InvalidArgument')
    }
    expect(codeOf(() => parseListBuckets(query('continuation-token=')))).toBe('InvalidArgument')
  })

  test('parts are paged by at most 1,000 (B79)', () => {
    expect(parseListParts(query('uploadId=u'))).toEqual({
      uploadId: 'u',
      maxParts: 1000,
      partNumberMarker: 0,
      encode: false,
    })
    expect(parseListParts(query('uploadId=u&max-parts=5000&part-number-marker=2000'))).toMatchObject({
      maxParts: 1000,
      partNumberMarker: 2000,
    })
    for (const raw of ['max-parts=x', 'max-parts=-1', 'part-number-marker=x', 'part-number-marker=-1']) {
      expect(codeOf(() => parseListParts(query(raw)))).toBe('InvalidArgument')
    }
  })

  test('an upload-id-marker without key-marker is ignored (B80)', () => {
    expect(parseListUploads(query('upload-id-marker=u'))).toEqual({ prefix: '', maxUploads: 1000, encode: false })
    expect(parseListUploads(query('key-marker=k&upload-id-marker=u&max-uploads=2'))).toEqual({
      prefix: '',
      maxUploads: 2,
      encode: false,
      keyMarker: 'k',
      uploadIdMarker: 'u',
      start: { after: 'k', afterPrefix: false },
    })
    expect(codeOf(() => parseListUploads(query('max-uploads=x')))).toBe('InvalidArgument')
  })
})

describe('Continuation tokens', () => {
  test('lead back to where they came from', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (after, afterPrefix) => {
        const token = encodeToken('objects', { after, afterPrefix })
        expect(token).toMatch(/^[\w-]+$/)
        expect(decodeToken('objects', token)).toEqual({ after, afterPrefix })
      }),
    )
  })

  test('that were changed lead nowhere, or to another name, never to another error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(encodeToken('objects', decodeToken('objects', text))).toBe(text)
        } catch {
          expect(codeOf(() => decodeToken('objects', text))).toBe('InvalidArgument')
        }
      }),
    )
    // Flag 2, another version, a name that is not UTF-8.
    for (const bytes of [
      [1, 1, 2, 97],
      [2, 1, 0, 97],
      [1, 1, 0, 255],
    ]) {
      expect(codeOf(() => decodeToken('objects', Buffer.from(bytes).toString('base64url')))).toBe('InvalidArgument')
    }
  })
})

describe('Names under encoding-type=url (B89)', () => {
  test.each([
    ['asdf+b', 'asdf%2Bb'],
    ['quux ab/', 'quux%20ab/'],
    ['foo+1/bar', 'foo%2B1/bar'],
    ["a!'()*~", 'a%21%27%28%29%2A~'],
    ['\n', '%0A'],
    ['é', '%C3%A9'],
    ['a-b.c_d/e', 'a-b.c_d/e'],
    ['%', '%25'],
  ])('%j is %s', (name, encoded) => {
    expect(encodeListName(name)).toBe(encoded)
  })

  test('are decoded by any client to what they were', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const encoded = encodeListName(name)
        expect(encoded).toMatch(/^[\w.~/%-]*$/)
        expect(decodeURIComponent(encoded)).toBe(name)
      }),
    )
  })
})
