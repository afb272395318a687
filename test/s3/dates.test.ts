import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { httpDate, isoDate, parseHttpDate } from '../../src/s3/dates.ts'
import { quoteEtag, unquoteEtag } from '../../src/s3/etag.ts'
import { compareUtf8 } from '../../src/s3/utf8-order.ts'

describe('Dates (B53)', () => {
  const MOMENT = new Date('1994-11-06T08:49:37.999Z')

  test('have whole seconds in headers and .000Z in XML', () => {
    expect(httpDate(MOMENT)).toBe('Sun, 06 Nov 1994 08:49:37 GMT')
    expect(isoDate(MOMENT)).toBe('1994-11-06T08:49:37.000Z')
  })

  test.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    '%s is read',
    (text) => {
      expect(parseHttpDate(text)).toBe(784111777)
    },
  )

  test('two digits of a year below 70 are of this century', () => {
    expect(parseHttpDate('Sunday, 06-Nov-33 08:49:37 GMT')).toBe(Date.UTC(2033, 10, 6, 8, 49, 37) / 1000)
  })

  test.each(['', '0', '1994', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 CET', '1994-11-06T08:49:37Z'])(
    '%j is no date',
    (text) => {
      expect(parseHttpDate(text)).toBeUndefined()
    },
  )

  test('what is written is read back', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (date) => {
        expect(parseHttpDate(httpDate(date))).toBe(Math.floor(date.getTime() / 1000))
      }),
    )
  })
})

describe('ETags', () => {
  test.each(['abc', '"abc"', '&quot;abc&quot;', 'W/"abc"', ' "abc" '])('%s is abc (B48, B73)', (text) => {
    expect(unquoteEtag(text)).toBe('abc')
  })

  test.each(['"', '"abc', 'abc"', ''])('%j is left as it is', (text) => {
    expect(unquoteEtag(text)).toBe(text)
  })

  test('are quoted once', () => {
    expect(quoteEtag('abc-2')).toBe('"abc-2"')
  })
})

describe('The order of names (B83)', () => {
  test('is that of UTF-8 bytes, not of UTF-16', () => {
    expect(compareUtf8('\u{1F600}', '\uFF5E')).toBeGreaterThan(0)
    expect(['\u{1F600}', '\uFF5E'].sort()).toEqual(['\u{1F600}', '\uFF5E'])
  })

  test('agrees with Buffer.compare', () => {
    const name = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: fc.constantFrom('a', '\uD7FF', '\uE000', '\uFFFD', '\u{10000}', '\u{10FFFF}') }),
    )
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
    )
  })
})
