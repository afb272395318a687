import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mailSafe } from '../../src/s3/mail-safe.ts'

const bytes = (text: string): string => Buffer.from(text).toString('latin1')

/** A reader of our own words, as mail programs have. */
function decode(value: string): string {
  return value
    .split(' ')
    .map((word) => {
      const [, encoding, text = ''] = /^=\?UTF-8\?([BQ])\?(.*)\?=$/.exec(word) ?? []
      if (encoding === undefined) throw new Error(`no encoded word: ${word}`)
      if (encoding === 'B') return Buffer.from(text, 'base64').toString()
      return decodeURIComponent(text.replaceAll('_', ' ').replaceAll('%', '%25').replace(/=(..)/g, '%$1'))
    })
    .join('')
}

describe('User metadata in a header (B59)', () => {
  test.each(['', 'plain', 'with spaces  and\ttabs', 'a=b?c', '=?', '=?UTF-8?X?a?=', 'a=?b', '=?UTF-8?Q?half'])(
    'ASCII stays as it is: %j',
    (text) => expect(mailSafe(text)).toBe(text),
  )

  test.each([
    ['ö', '=?UTF-8?B?w7Y=?='],
    ['Miniö', '=?UTF-8?Q?Mini=C3=B6?='],
    ['a_b=c?dö', '=?UTF-8?Q?a=5Fb=3Dc=3Fd=C3=B6?='],
    ['日本語', '=?UTF-8?B?5pel5pys6Kqe?='],
  ])('%s is %s', (text, encoded) => expect(mailSafe(bytes(text))).toBe(encoded))

  test('bytes that are not UTF-8 are ISO-8859-1', () => {
    expect(mailSafe('Gr\xfc\xdfe')).toBe('=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=')
  })

  test.each([
    ['=?UTF-8?B?aGVsbG8=?=', 'hello'],
    ['=?utf-8?q?a_b?= c', 'a b c'],
    ['=?UTF-8?Q?a?=  =?UTF-8?Q?b?=', 'ab'],
    ['=?ISO-8859-1*de?Q?Gr=FCn?=', '=?UTF-8?Q?Gr=C3=BCn?='],
    ['=?UTF-8?B?!?=', '=?UTF-8?B?!?='],
    ['=?UTF-8?Q?a=4?=', '=?UTF-8?Q?a=4?='],
    ['=?UTF-8?B?/w==?=', '=?UTF-8?B?/w==?='],
    ['=?no-such-charset?Q?a?=', '=?no-such-charset?Q?a?='],
  ])('the word %s means %s', (sent, told) => expect(mailSafe(sent)).toBe(told))

  test.each(['=?UTF-8?Q?a=0Ab?=', '=?UTF-8?B?AA==?=', '\x7fx', bytes('a\u0085')])('%j cannot be printed', (value) =>
    expect(mailSafe(value)).toBeUndefined(),
  )

  test('any text comes through in words of at most 75 characters, and is the same when it is sent again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }), (text) => {
        const value = mailSafe(bytes(text))
        if (value === undefined || value === text) return
        // eslint-disable-next-line no-control-regex -- a header must not break
        expect(value).toMatch(/^[\x20-\x7e]+$/)
        if (!text.includes('=?')) expect(decode(value)).toBe(text)
        for (const word of value.split(' ')) expect(word.length).toBeLessThanOrEqual(75)
        expect(mailSafe(value)).toBe(value)
      }),
    )
  })

  test('hostile values cost no time', () => {
    const started = performance.now()
    for (const value of [
      '=?'.repeat(1_000),
      `=?a?q?${'? =?a?q?'.repeat(250)}`,
      `=?UTF-8?Q?${' '.repeat(2_000)}`,
      '?= '.repeat(700),
    ]) {
      mailSafe(value)
      mailSafe(`${value}\xff`)
    }
    expect(performance.now() - started).toBeLessThan(500)
  })

  test('nothing that a header cannot carry ever comes out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('=?', '?=', 'UTF-8', '?Q?', '?B?', '=0A', '=0D', 'AA==', ' ', '\xff', 'Cg==', '_')),
        (parts) => {
          const value = mailSafe(parts.join(''))
          if (value !== undefined) expect(value).toMatch(/^[\t\x20-\x7e]*$/)
        },
      ),
    )
  })
})
