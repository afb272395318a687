import { beforeAll, describe, expect, test } from 'vitest'
import { checksumOf, loadChecksums } from '../../src/s3/checksum.ts'
import {
  checksumHeaders,
  checksumModeEnabled,
  checksumText,
  parseCompleteChecksum,
  parseCopyChecksum,
  parseMultipartChecksum,
  parseTrailerChecksum,
  parseUploadChecksum,
  verifyChecksum,
} from '../../src/s3/checksum-headers.ts'
import { answer, refusal } from './auth/fixtures.ts'
import { codeOf, headers } from './requests.ts'

beforeAll(loadChecksums)

const CRC = Buffer.from('cbf43926', 'hex')
const CRC_TEXT = CRC.toString('base64')
const TEN = 'CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128'

describe('The checksum of a body', () => {
  test('comes in a header', () => {
    expect(parseUploadChecksum(headers({ 'x-amz-checksum-crc32': CRC_TEXT }))).toEqual({
      kind: 'header',
      name: 'CRC32',
      value: CRC,
    })
  })

  test('comes in a trailer', () => {
    const entries = { 'x-amz-trailer': 'x-amz-checksum-crc64nvme', 'x-amz-sdk-checksum-algorithm': 'CRC64NVME' }
    expect(parseUploadChecksum(headers(entries))).toEqual({
      kind: 'trailer',
      name: 'CRC64NVME',
      header: 'x-amz-checksum-crc64nvme',
    })
  })

  test('may be absent', () => {
    expect(parseUploadChecksum(headers({ 'x-amz-checksum-mode': 'ENABLED' }))).toEqual({ kind: 'none' })
    expect(parseUploadChecksum(headers({ 'x-amz-sdk-checksum-algorithm': '' }))).toEqual({ kind: 'none' })
  })

  test('announced without a value is InvalidRequest (B36)', () => {
    expect(codeOf(() => parseUploadChecksum(headers({ 'x-amz-sdk-checksum-algorithm': 'CRC32' })))).toBe(
      'InvalidRequest',
    )
  })

  test('announced as another algorithm is InvalidRequest (B36)', () => {
    const entries = { 'x-amz-sdk-checksum-algorithm': 'SHA1', 'x-amz-checksum-crc32': CRC_TEXT }
    expect(codeOf(() => parseUploadChecksum(headers(entries)))).toBe('InvalidRequest')
  })

  test('given twice is InvalidRequest (B36)', () => {
    const two = { 'x-amz-checksum-crc32': CRC_TEXT, 'x-amz-checksum-crc32c': CRC_TEXT }
    expect(refusal(() => parseUploadChecksum(headers(two))).message).toContain(
      'Expecting a single x-amz-checksum- header',
    )
    const both = { 'x-amz-checksum-crc32': CRC_TEXT, 'x-amz-trailer': 'x-amz-checksum-crc32' }
    expect(codeOf(() => parseUploadChecksum(headers(both)))).toBe('InvalidRequest')
  })

  test.each([
    ['x-amz-checksum-crc7', 'AAAA'],
    ['x-amz-trailer', 'x-amz-checksum-crc7'],
    ['x-amz-sdk-checksum-algorithm', 'CRC7'],
  ])('of an unknown algorithm in %s is InvalidRequest with the ten valid ones (B36)', (name, value) => {
    const error = refusal(() => parseUploadChecksum(headers({ [name]: value })))
    expect(error.code).toBe('InvalidRequest')
    expect(error.message).toContain(TEN)
  })

  test.each(['', 'y/Q5', 'y/Q5Jg', 'y_Q5Jg==', `${CRC_TEXT}=`, 'zzz', CRC.toString('hex')])(
    'with the value %j is InvalidRequest',
    (value) => {
      expect(codeOf(() => parseUploadChecksum(headers({ 'x-amz-checksum-crc32': value })))).toBe('InvalidRequest')
    },
  )

  test.each(['x-amz-meta-a', 'x-amz-checksum-type', '', 'x-amz-checksum-crc32,x-amz-checksum-sha1'])(
    'announced by the trailer %j is InvalidRequest',
    (name) => {
      expect(codeOf(() => parseUploadChecksum(headers({ 'x-amz-trailer': name })))).toBe('InvalidRequest')
    },
  )

  test('in a trailer is checked for its form (B33)', () => {
    expect(parseTrailerChecksum('CRC32', ` ${CRC_TEXT} `)).toEqual(CRC)
    const error = refusal(() => parseTrailerChecksum('CRC32', 'AAAA'))
    expect(error.code).toBe('InvalidRequest')
    expect(error.message).toBe('Value for x-amz-checksum-crc32 trailing header is invalid.')
  })

  test('that differs is BadDigest', () => {
    expect(() => verifyChecksum('CRC32', CRC, checksumOf('CRC32', Buffer.from('123456789')))).not.toThrow()
    expect(answer(() => verifyChecksum('CRC32', CRC, Buffer.alloc(4)))).toEqual({
      status: 400,
      code: 'BadDigest',
      extra: { ExpectedDigest: CRC_TEXT, CalculatedDigest: 'AAAAAA==' },
    })
    expect(codeOf(() => verifyChecksum('CRC32', CRC, Buffer.alloc(5)))).toBe('BadDigest')
  })
})

describe('The checksum of a multipart upload (B38)', () => {
  const create = (algorithm: string, type?: string) =>
    parseMultipartChecksum(
      headers({
        'x-amz-checksum-algorithm': algorithm,
        ...(type === undefined ? {} : { 'x-amz-checksum-type': type }),
      }),
    )

  test.each([
    ['CRC32', 'COMPOSITE'],
    ['CRC32C', 'COMPOSITE'],
    ['CRC64NVME', 'FULL_OBJECT'],
    ['SHA1', 'COMPOSITE'],
    ['SHA256', 'COMPOSITE'],
    ['SHA512', 'COMPOSITE'],
    ['MD5', 'COMPOSITE'],
    ['XXHASH64', 'COMPOSITE'],
    ['XXHASH3', 'COMPOSITE'],
    ['XXHASH128', 'COMPOSITE'],
    ['crc32', 'COMPOSITE'],
  ])('%s is %s by default', (algorithm, type) => {
    expect(create(algorithm)).toEqual({ name: algorithm.toUpperCase(), type })
  })

  test.each([
    ['CRC32', 'FULL_OBJECT'],
    ['CRC32', 'COMPOSITE'],
    ['CRC32C', 'FULL_OBJECT'],
    ['CRC64NVME', 'FULL_OBJECT'],
    ['SHA256', 'COMPOSITE'],
  ])('%s may be %s', (algorithm, type) => {
    expect(create(algorithm, type)).toEqual({ name: algorithm, type })
  })

  test.each([
    ['CRC64NVME', 'COMPOSITE'],
    ['SHA1', 'FULL_OBJECT'],
    ['SHA256', 'FULL_OBJECT'],
    ['SHA512', 'FULL_OBJECT'],
    ['MD5', 'FULL_OBJECT'],
    ['XXHASH64', 'FULL_OBJECT'],
    ['XXHASH3', 'FULL_OBJECT'],
    ['XXHASH128', 'FULL_OBJECT'],
    ['CRC32', 'SOMETHING'],
  ])('%s cannot be %s', (algorithm, type) => {
    expect(codeOf(() => create(algorithm, type))).toBe('InvalidRequest')
  })

  test('the message names type and algorithm', () => {
    expect(refusal(() => create('SHA256', 'FULL_OBJECT')).message).toBe(
      'The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm.',
    )
  })

  test('a type without an algorithm is InvalidRequest', () => {
    expect(codeOf(() => parseMultipartChecksum(headers({ 'x-amz-checksum-type': 'COMPOSITE' })))).toBe('InvalidRequest')
    expect(parseMultipartChecksum(headers())).toBeUndefined()
  })

  test('a copy may ask for another algorithm', () => {
    expect(parseCopyChecksum(headers({ 'x-amz-checksum-algorithm': 'SHA1' }))).toBe('SHA1')
    expect(parseCopyChecksum(headers())).toBeUndefined()
  })

  test('its completion may expect a value, composite or not', () => {
    expect(parseCompleteChecksum(headers())).toEqual({})
    expect(parseCompleteChecksum(headers({ 'x-amz-checksum-type': 'COMPOSITE' }))).toEqual({ type: 'COMPOSITE' })
    expect(parseCompleteChecksum(headers({ 'x-amz-checksum-crc32': `${CRC_TEXT}-3` }))).toEqual({
      name: 'CRC32',
      value: CRC,
      parts: 3,
    })
    const full = { 'x-amz-checksum-crc32': CRC_TEXT, 'x-amz-checksum-type': 'FULL_OBJECT' }
    expect(parseCompleteChecksum(headers(full))).toEqual({ name: 'CRC32', value: CRC, type: 'FULL_OBJECT' })
  })

  test.each([
    [{ 'x-amz-checksum-crc32': `${CRC_TEXT}-` }],
    [{ 'x-amz-checksum-crc32': `${CRC_TEXT}-x` }],
    [{ 'x-amz-checksum-crc32': `${CRC_TEXT}-3`, 'x-amz-checksum-type': 'FULL_OBJECT' }],
    [{ 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=', 'x-amz-checksum-type': 'COMPOSITE' }],
    [{ 'x-amz-checksum-type': 'OTHER' }],
  ])('%j at completion is InvalidRequest', (entries) => {
    expect(codeOf(() => parseCompleteChecksum(headers(entries)))).toBe('InvalidRequest')
  })
})

describe('Checksums in answers', () => {
  test('composite ones end in the number of parts (B39)', () => {
    expect(checksumText({ name: 'CRC32', type: 'COMPOSITE', value: CRC, parts: 3 })).toBe(`${CRC_TEXT}-3`)
    expect(checksumText({ name: 'CRC32', type: 'FULL_OBJECT', value: CRC })).toBe(CRC_TEXT)
    expect(checksumHeaders({ name: 'CRC32', type: 'FULL_OBJECT', value: CRC })).toEqual({
      'x-amz-checksum-crc32': CRC_TEXT,
      'x-amz-checksum-type': 'FULL_OBJECT',
    })
  })

  test('are given with x-amz-checksum-mode: ENABLED only (B37)', () => {
    expect(checksumModeEnabled(headers())).toBe(false)
    expect(checksumModeEnabled(headers({ 'x-amz-checksum-mode': 'ENABLED' }))).toBe(true)
    expect(codeOf(() => checksumModeEnabled(headers({ 'x-amz-checksum-mode': 'YES' })))).toBe('InvalidArgument')
  })
})
