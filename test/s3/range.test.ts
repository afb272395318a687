import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  contentRange,
  parsePartNumber,
  parseRange,
  requestedPart,
  resolvePart,
  resolveRange,
} from '../../src/s3/range.ts'
import { answer, refusal } from './auth/fixtures.ts'
import { codeOf, headers, query } from './requests.ts'

/** What a GET of `size` bytes with this Range sends: first and last, or 'all', or an error. */
const sent = (header: string, size: number): readonly [number, number] | 'all' => {
  const range = parseRange(header)
  if (range === undefined) return 'all'
  const { first, last } = resolveRange(range, size)
  return [first, last]
}

describe('A range (B41, B42)', () => {
  test.each([
    ['bytes=0-9', 100, [0, 9]],
    ['bytes=0-0', 100, [0, 0]],
    ['bytes=99-', 100, [99, 99]],
    ['bytes=0-', 100, [0, 99]],
    ['bytes=90-200', 100, [90, 99]],
    ['bytes=0-99999999999999999999999', 100, [0, 99]],
    ['bytes=-5', 100, [95, 99]],
    ['bytes=-500', 100, [0, 99]],
    ['bytes=007-0010', 100, [7, 10]],
  ])('%s of %i bytes sends %j', (header, size, expected) => {
    expect(sent(header, size)).toEqual(expected)
  })

  test.each([
    ['bytes=100-', 100],
    ['bytes=100-110', 100],
    ['bytes=-0', 100],
    ['bytes=99999999999999999999999-', 100],
    // B44: an empty object has no byte to send.
    ['bytes=40-50', 0],
    ['bytes=0-', 0],
    ['bytes=-1', 0],
  ])('%s of %i bytes is 416 with the plaintext size', (header, size) => {
    const error = refusal(() => sent(header, size))
    expect(error.status).toBe(416)
    expect(error.code).toBe('InvalidRange')
    expect(error.extra).toEqual({ RangeRequested: header, ActualObjectSize: String(size) })
    expect(error.headers).toEqual({ 'content-range': `bytes */${size}` })
  })

  test.each([
    'bytes=5-2',
    'bytes=0-0,1-2',
    'bytes= 0-9',
    'bytes=0 -9',
    'bytes =0-9',
    'bytes=-',
    'bytes=',
    'bytes=a-b',
    'bytes=0x1-0x2',
    'bytes=+1-2',
    'bytes=1.5-2',
    'octets=0-9',
    '0-9',
    '',
  ])('%j is ignored (B43)', (header) => {
    expect(sent(header, 100)).toBe('all')
  })

  test('is absent without a header', () => {
    expect(parseRange(undefined)).toBeUndefined()
  })

  test('sends what Array.slice would, or 416 if that is nothing', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.option(fc.nat(60)), (size, first, length) => {
        const last = length === null ? undefined : first + length
        const bytes = Array.from({ length: size }, (_, i) => i)
        const expected = bytes.slice(first, last === undefined ? undefined : last + 1)
        const header = `bytes=${first}-${last ?? ''}`
        if (expected.length === 0) expect(codeOf(() => sent(header, size))).toBe('InvalidRange')
        else expect(sent(header, size)).toEqual([expected[0], expected.at(-1)])
      }),
    )
  })

  test('of the last n bytes sends what slice(-n) would', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), (size, length) => {
        const expected = length === 0 ? [] : Array.from({ length: size }, (_, i) => i).slice(-length)
        const header = `bytes=-${length}`
        if (expected.length === 0) expect(codeOf(() => sent(header, size))).toBe('InvalidRange')
        else expect(sent(header, size)).toEqual([expected[0], expected.at(-1)])
      }),
    )
  })

  test('is shown in Content-Range', () => {
    expect(contentRange({ first: 0, last: 9 }, 100)).toBe('bytes 0-9/100')
  })
})

describe('A part number (B75)', () => {
  test.each([
    ['1', 1],
    ['10000', 10_000],
    ['007', 7],
  ])('%s is accepted', (text, number) => {
    expect(parsePartNumber(text)).toBe(number)
  })

  test.each(['0', '10001', '-1', '', 'a', '1.0', '1e3', ' 1', '99999999999999'])('%j is InvalidArgument', (text) => {
    expect(codeOf(() => parsePartNumber(text))).toBe('InvalidArgument')
  })
})

describe('GET of a part (B45)', () => {
  test('is not asked for without the parameter', () => {
    expect(requestedPart(headers({ range: 'bytes=0-1' }), query())).toBeUndefined()
  })

  test('reads the parameter', () => {
    expect(requestedPart(headers(), query('partNumber=3'))).toBe(3)
  })

  test('with a Range beside it is InvalidRequest', () => {
    expect(codeOf(() => requestedPart(headers({ range: 'bytes=0-1' }), query('partNumber=3')))).toBe('InvalidRequest')
  })

  test('of a multipart object sends the bytes of the part', () => {
    expect(resolvePart(1, [5, 7, 2], 14)).toEqual({ first: 0, last: 4 })
    expect(resolvePart(2, [5, 7, 2], 14)).toEqual({ first: 5, last: 11 })
    expect(resolvePart(3, [5, 7, 2], 14)).toEqual({ first: 12, last: 13 })
  })

  test('of an object put in one piece is the whole of it', () => {
    expect(resolvePart(1, undefined, 14)).toEqual({ first: 0, last: 13 })
  })

  test('of an empty object has no Content-Range', () => {
    expect(resolvePart(1, undefined, 0)).toBeUndefined()
    expect(resolvePart(1, [0], 0)).toBeUndefined()
  })

  test('beyond the last part is 416 InvalidPartNumber', () => {
    expect(answer(() => resolvePart(4, [5, 7, 2], 14))).toEqual({
      status: 416,
      code: 'InvalidPartNumber',
      extra: { PartNumberRequested: '4', ActualPartCount: '3' },
    })
    expect(codeOf(() => resolvePart(2, undefined, 14))).toBe('InvalidPartNumber')
  })
})
