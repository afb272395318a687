import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseComplete, parseObjectSize } from '../../src/s3/complete-xml.ts'
import { checkLocation, parseCreateBucket } from '../../src/s3/create-bucket-xml.ts'
import { parseDelete } from '../../src/s3/delete-xml.ts'
import { el, group, xmlDocument } from '../../src/s3/xml.ts'
import { answer } from './auth/fixtures.ts'
import { codeOf, headers } from './requests.ts'

describe('DeleteObjects (B62)', () => {
  const parse = (inner: string) => parseDelete(Buffer.from(`<Delete>${inner}</Delete>`))

  test('reads keys exactly and Quiet', () => {
    expect(parse('<Object><Key> a&amp;b </Key></Object><Object><Key>c</Key></Object><Quiet>true</Quiet>')).toEqual({
      quiet: true,
      objects: [{ key: ' a&b ' }, { key: 'c' }],
    })
    expect(parse('<Object><Key>c</Key></Object>').quiet).toBe(false)
    expect(parse('<Quiet>false</Quiet><Object><Key>c</Key></Object>').quiet).toBe(false)
  })

  test('any key comes through', () => {
    // But those three that no XML can hold.
    const key = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 100 })
      .filter((text) => !/[\0\ufffe\uffff]/.test(text))
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 5 }), (keys) => {
        const body = xmlDocument('Delete', ...keys.map((text) => group('Object', el('Key', text))))
        expect(parseDelete(Buffer.from(body)).objects.map((object) => object.key)).toEqual(keys)
      }),
    )
  })

  test('takes a thousand keys and no more', () => {
    const objects = (count: number) => '<Object><Key>k</Key></Object>'.repeat(count)
    expect(parse(objects(1000)).objects).toHaveLength(1000)
    expect(codeOf(() => parse(objects(1001)))).toBe('MalformedXML')
  })

  test.each([
    ['', 'an empty list'],
    ['<Object/>', 'no key'],
    ['<Object><Key></Key></Object>', 'an empty key'],
    ['<Object><Key>a</Key><Key>b</Key></Object>', 'two keys'],
    ['<Object><Key>a</Key><IfOlder>1</IfOlder></Object>', 'an unknown condition'],
    ['<Object><Key>a</Key></Object><Other/>', 'an unknown element'],
    ['<Object><Key>a</Key></Object><Quiet>maybe</Quiet>', 'an odd Quiet'],
  ])('%s is MalformedXML: %s', (inner) => {
    expect(codeOf(() => parse(inner))).toBe('MalformedXML')
  })

  test('another root is MalformedXML', () => {
    expect(codeOf(() => parseDelete(Buffer.from('<Remove><Object><Key>a</Key></Object></Remove>')))).toBe(
      'MalformedXML',
    )
  })

  test('takes ETag conditions, quoted or not', () => {
    expect(parse('<Object><Key>a</Key><ETag>&quot;x&quot;</ETag></Object>').objects).toEqual([{ key: 'a', etag: 'x' }])
    expect(parse('<Object><Key>a</Key><ETag>*</ETag></Object>').objects).toEqual([{ key: 'a', etag: '*' }])
  })

  test('an entry may name a version; conditions of directory buckets are NotImplemented for their key', () => {
    const [none, other, size] = parse(
      '<Object><Key>a</Key><VersionId>null</VersionId></Object><Object><Key>b</Key><VersionId>v1</VersionId></Object><Object><Key>c</Key><Size>1</Size></Object>',
    ).objects
    expect(none).toEqual({ key: 'a', versionId: 'null' })
    expect(other).toEqual({ key: 'b', versionId: 'v1' })
    expect(size?.error?.code).toBe('NotImplemented')
  })

  test('a key that is too long is an error of its own', () => {
    const [long, longest] = parse(
      `<Object><Key>${'é'.repeat(513)}</Key></Object><Object><Key>${'é'.repeat(512)}</Key></Object>`,
    ).objects
    expect(long?.error?.code).toBe('KeyTooLongError')
    expect(longest?.error).toBeUndefined()
  })
})

describe('CompleteMultipartUpload', () => {
  const part = (number: string | number, etag = 'abc', more = '') =>
    `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more}</Part>`
  const parse = (inner: string) =>
    parseComplete(Buffer.from(`<CompleteMultipartUpload>${inner}</CompleteMultipartUpload>`))

  test('takes ETags unquoted, quoted and escaped (B73)', () => {
    expect(
      parse(part(1, 'abc') + part(2, '"abc"') + part(3, '&quot;abc&quot;') + part(4, '&amp;quot;abc&amp;quot;')),
    ).toEqual([1, 2, 3, 4].map((partNumber) => ({ partNumber, etag: 'abc' })))
  })

  test('takes elements in any order, and checksums', () => {
    expect(
      parse('<Part><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><ETag>a</ETag><PartNumber> 7 </PartNumber></Part>'),
    ).toEqual([{ partNumber: 7, etag: 'a', checksum: { name: 'CRC32', value: Buffer.from('cbf43926', 'hex') } }])
  })

  test.each([
    [part(2) + part(1), 'InvalidPartOrder'],
    [part(1) + part(1), 'InvalidPartOrder'],
    [part(0), 'InvalidArgument'],
    [part(-1), 'InvalidArgument'],
    [part(10_001), 'InvalidArgument'],
    ['', 'MalformedXML'],
    [part('one'), 'MalformedXML'],
    [part('1.5'), 'MalformedXML'],
    ['<Part><PartNumber>1</PartNumber></Part>', 'MalformedXML'],
    ['<Part><ETag>a</ETag></Part>', 'MalformedXML'],
    [`${part(1)}<Other/>`, 'MalformedXML'],
    [part(1, 'a', '<Other/>'), 'MalformedXML'],
    [part(1, 'a', '<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><ChecksumSHA1>x</ChecksumSHA1>'), 'MalformedXML'],
    [part(1, 'a', '<ChecksumCRC32>AAAA</ChecksumCRC32>'), 'InvalidRequest'],
    [part(1, 'a', '<ChecksumMD5>AAAA</ChecksumMD5>'), 'InvalidRequest'],
    [part(1, 'a', '<ChecksumCRC16>AAA=</ChecksumCRC16>'), 'MalformedXML'],
  ])('%s is %s (B72)', (inner, code) => {
    expect(codeOf(() => parse(inner))).toBe(code)
  })

  test('no body is MalformedXML (B72)', () => {
    expect(codeOf(() => parseComplete(Buffer.alloc(0)))).toBe('MalformedXML')
  })

  test('ten thousand parts with checksums fit and are quick', () => {
    const checksum = `<ChecksumSHA256>${Buffer.alloc(32).toString('base64')}</ChecksumSHA256>`
    const body = Array.from({ length: 10_000 }, (_, i) => `\n  ${part(i + 1, `"${'a'.repeat(32)}"`, checksum)}`).join(
      '',
    )
    const started = performance.now()
    expect(parse(body)).toHaveLength(10_000)
    expect(performance.now() - started).toBeLessThan(2000)
  })

  test('the object size is a plain number (B77)', () => {
    const size = (text?: string) => parseObjectSize(headers(text === undefined ? {} : { 'x-amz-mp-object-size': text }))
    expect(size()).toBeUndefined()
    expect(size('0')).toBe(0)
    expect(size('5242880')).toBe(5_242_880)
    for (const text of ['-1', '', 'x', '1.5']) expect(codeOf(() => size(text))).toBe('InvalidRequest')
  })
})

describe('CreateBucket (B96)', () => {
  const parse = (inner: string) =>
    parseCreateBucket(Buffer.from(`<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>`))

  test('an empty body and an empty constraint are no constraint', () => {
    expect(parseCreateBucket(Buffer.alloc(0))).toEqual({ tags: [] })
    expect(parse('')).toEqual({ tags: [] })
    expect(parse('<LocationConstraint/>')).toEqual({ tags: [] })
    expect(parse('<LocationConstraint>eu-central-1</LocationConstraint>')).toEqual({
      locationConstraint: 'eu-central-1',
      tags: [],
    })
  })

  test('tags come with it', () => {
    expect(parse('<Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>').tags).toEqual([{ key: 'a', value: 'b' }])
  })

  test.each([
    ['<Location><Type>AvailabilityZone</Type></Location>', 'NotImplemented'],
    ['<Bucket><Type>Directory</Type></Bucket>', 'NotImplemented'],
    ['<Tags><Tag><Key>aws:a</Key><Value>b</Value></Tag></Tags>', 'InvalidTag'],
    ['<Tags><Tag><Key>a</Key></Tag></Tags>', 'MalformedXML'],
    ['<Other/>', 'MalformedXML'],
  ])('%s is %s', (inner, code) => {
    expect(codeOf(() => parse(inner))).toBe(code)
  })

  test('another document is MalformedXML', () => {
    expect(codeOf(() => parseCreateBucket(Buffer.from('<Delete/>')))).toBe('MalformedXML')
  })

  test('us-east-1 is no constraint, and the region must be ours', () => {
    expect(answer(() => checkLocation('us-east-1', 'us-east-1')).code).toBe('InvalidLocationConstraint')
    expect(codeOf(() => checkLocation('eu-west-2', 'eu-central-1'))).toBe('IllegalLocationConstraintException')
    expect(() => checkLocation('eu-central-1', 'eu-central-1')).not.toThrow()
    expect(() => checkLocation('EU', 'eu-west-1')).not.toThrow()
    expect(() => checkLocation('anywhere', undefined)).not.toThrow()
    expect(() => checkLocation(undefined, 'eu-central-1')).not.toThrow()
  })
})
