import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  child,
  childrenNamed,
  childText,
  el,
  escapeXml,
  group,
  parseXml,
  rootElement,
  xmlDocument,
} from '../../src/s3/xml.ts'
import { answer } from './auth/fixtures.ts'
import { codeOf } from './requests.ts'

const parse = (text: string, max = 10_000) => parseXml(Buffer.from(text), max)

describe('Writing XML', () => {
  test('escapes markup and control characters (B20)', () => {
    expect(escapeXml('a&b<c>d"e')).toBe('a&amp;b&lt;c&gt;d&quot;e')
    expect(escapeXml('\u0001\n\r\u001f\u007f')).toBe('&#x1;&#xA;&#xD;&#x1F;&#x7F;')
    expect(escapeXml('plain/äöü€😀')).toBe('plain/äöü€😀')
  })

  test('leaves out what is undefined', () => {
    expect(el('A', undefined)).toBe('')
    expect(el('A', '')).toBe('<A></A>')
    expect(el('A', 0) + el('B', false)).toBe('<A>0</A><B>false</B>')
    expect(group('C', el('A', 'x'))).toBe('<C><A>x</A></C>')
  })

  test('puts documents into the S3 namespace', () => {
    expect(xmlDocument('R', el('A', 1))).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><A>1</A></R>',
    )
    expect(rootElement('R')).toBe('<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></R>')
  })

  test('what is written is read back, whatever the characters', () => {
    // Every character but NUL, which no XML can hold.
    const text = fc
      .string({ unit: fc.oneof(fc.integer({ min: 1, max: 0xa0 }), fc.integer({ min: 1, max: 0xffff })).map(fromCode) })
      .filter((value) => !/[\ud800-\udfff\ufffe\uffff]/.test(value))
    fc.assert(
      fc.property(text, fc.string({ unit: 'grapheme' }), (a, b) => {
        const clean = b.replaceAll(/[\0\ufffe\uffff]/g, '')
        const root = parse(xmlDocument('R', el('A', a), el('B', clean)), 100_000)
        expect(childText(root, 'A')).toBe(a)
        expect(childText(root, 'B')).toBe(clean)
      }),
      { numRuns: 300 },
    )
  })
})

const fromCode = (code: number): string => String.fromCharCode(code)

describe('Reading XML', () => {
  test('knows elements with and without namespace and prefix', () => {
    for (const text of [
      '<R><A>1</A></R>',
      '<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><A>1</A></R>',
      '<s3:R xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"><s3:A>1</s3:A></s3:R>',
      '<?xml version="1.0" encoding="UTF-8"?>\n<!-- c --><R>\n <A x="y">1</A>\n</R>\n',
      '\ufeff<R><A>1</A></R>',
      '<R><A><![CDATA[1]]></A></R>',
    ]) {
      const root = parse(text)
      expect(root.name).toBe('R')
      expect(childText(root, 'A')).toBe('1')
    }
  })

  test('keeps white space, order and repetitions', () => {
    const root = parse('<R><A> x </A><B/><A>2</A></R>')
    expect(childrenNamed(root, 'A').map(({ text }) => text)).toEqual([' x ', '2'])
    expect(child(root, 'B')?.children).toEqual([])
    expect(child(root, 'C')).toBeUndefined()
  })

  test('control characters count as the references that they are', () => {
    const document = (count: number): Buffer => Buffer.from(`<a>${'\u0001'.repeat(count)}</a>`)
    expect(parseXml(document(100), 507).text).toHaveLength(100)
    expect(() => parseXml(document(101), 507)).toThrow(expect.objectContaining({ code: 'MaxMessageLengthExceeded' }))
  })

  test('reads control characters, as references or raw, unchanged (B20)', () => {
    expect(childText(parse('<R><A>&#x1;&#10;\u0002\u0085\u2028&#x2028;</A></R>'), 'A')).toBe(
      '\u0001\n\u0002\u0085\u2028\u2028',
    )
  })

  test.each([
    ['nothing', ''],
    ['white space', '  \n'],
    ['text', 'hello'],
    ['an open element', '<R>'],
    ['a wrong end', '<R></S>'],
    ['two roots', '<R/><R/>'],
    ['trailing text', '<R/>x'],
    ['an unknown entity', '<R>&foo;</R>'],
    ['a DOCTYPE', '<!DOCTYPE R><R/>'],
    ['an entity of its own', '<!DOCTYPE R [<!ENTITY a "b">]><R>&a;</R>'],
    ['NUL', '<R>\0</R>'],
    ['a reference to NUL', '<R>&#0;</R>'],
    ['a raw control character in CDATA', '<R><![CDATA[\u0001]]></R>'],
    ['seventeen levels', `${'<a>'.repeat(17)}${'</a>'.repeat(17)}`],
    ['JSON', '{"a":1}'],
  ])('%s is MalformedXML', (_what, text) => {
    expect(codeOf(() => parse(text))).toBe('MalformedXML')
  })

  test('invalid UTF-8 is MalformedXML', () => {
    expect(codeOf(() => parseXml(Buffer.from('<R>\xff</R>', 'latin1'), 100))).toBe('MalformedXML')
  })

  test('sixteen levels are enough', () => {
    expect(parse(`${'<a>'.repeat(16)}${'</a>'.repeat(16)}`).name).toBe('a')
  })

  test('more bytes than the bound are MaxMessageLengthExceeded (B28)', () => {
    expect(parse('<R/>', 4).name).toBe('R')
    expect(answer(() => parse('<R/>', 3))).toEqual({
      status: 400,
      code: 'MaxMessageLengthExceeded',
      extra: { MaxMessageLengthBytes: '3' },
    })
  })

  test('any bytes give an element or a refusal, never another error', () => {
    const soup = fc.string({
      unit: fc.constantFrom('<', '>', '/', 'a', '&', ';', '"', '!', '[', ']', '-', '?', ' ', ':'),
    })
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) => {
        try {
          parse(text)
        } catch {
          expect(codeOf(() => parse(text))).toBe('MalformedXML')
        }
      }),
      { numRuns: 500 },
    )
  })
})
