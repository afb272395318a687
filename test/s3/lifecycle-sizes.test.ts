import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { plaintextSize, storedSize } from '../../src/format/sizes.ts'
import { mapSizeThresholds } from '../../src/s3/lifecycle-sizes.ts'

const LIMIT = 100_000
const map = (text: string, by: (bytes: number) => number = (bytes) => bytes + 1): string =>
  mapSizeThresholds(Buffer.from(text), LIMIT, by).toString()
const rule = (inner: string): string =>
  `<?xml version="1.0"?><LifecycleConfiguration><Rule><ID>é</ID><Filter>${inner}</Filter></Rule></LifecycleConfiguration>`

describe('size thresholds', () => {
  test('change, and nothing else does', () => {
    const document = rule('<And><Prefix>5</Prefix><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And>')
    expect(map(document)).toBe(document.replace('Than>5<', 'Than>6<'))
    expect(map(rule('<Prefix>ObjectSizeLessThan</Prefix>'))).toBe(rule('<Prefix>ObjectSizeLessThan</Prefix>'))
  })

  test.each([
    [
      'with white space',
      '<ObjectSizeLessThan>\n 10 </ObjectSizeLessThan>',
      '<ObjectSizeLessThan>11</ObjectSizeLessThan>',
    ],
    [
      'with a prefix',
      '<s3:ObjectSizeLessThan xmlns:s3="a">10</s3:ObjectSizeLessThan>',
      '<s3:ObjectSizeLessThan xmlns:s3="a">11</s3:ObjectSizeLessThan>',
    ],
    [
      'with an attribute',
      '<ObjectSizeLessThan a="b">10</ObjectSizeLessThan>',
      '<ObjectSizeLessThan a="b">11</ObjectSizeLessThan>',
    ],
  ])('%s', (_what, found, made) => {
    expect(map(rule(found))).toBe(rule(made))
  })

  test.each([
    ['no number', '<ObjectSizeLessThan>many</ObjectSizeLessThan>'],
    ['nothing', '<ObjectSizeLessThan/>'],
    ['a negative number', '<ObjectSizeLessThan>-1</ObjectSizeLessThan>'],
    ['a number beyond all sizes', '<ObjectSizeLessThan>9999999999999999</ObjectSizeLessThan>'],
    ['digits in a CDATA section', '<ObjectSizeLessThan><![CDATA[10]]></ObjectSizeLessThan>'],
    ['digits as references', '<ObjectSizeLessThan>&#49;0</ObjectSizeLessThan>'],
    [
      'a second one in a comment',
      '<!-- <ObjectSizeLessThan>1</ObjectSizeLessThan> --><ObjectSizeLessThan>1</ObjectSizeLessThan>',
    ],
    [
      'one in a comment beside one that does not look like any',
      '<!-- <ObjectSizeLessThan>1</ObjectSizeLessThan> --><ObjectSizeLessThan><!-- -->1</ObjectSizeLessThan>',
    ],
    ['markup that does not close', '<ObjectSizeLessThan>1'],
  ])('are refused as %s', (_what, inner) => {
    expect(() => map(rule(inner))).toThrow(expect.objectContaining({ code: 'MalformedXML' }))
  })
})

test('a threshold of plaintext and that of the stored size choose the same objects, and the way back is exact', () => {
  const bytes = fc.oneof(fc.integer({ min: 0, max: 20_000_000 }), fc.integer({ min: 0, max: 5_000_000_000_000 }))
  fc.assert(
    fc.property(bytes, bytes, (threshold, size) => {
      expect(storedSize(size) > storedSize(threshold)).toBe(size > threshold)
      expect(plaintextSize(storedSize(threshold))).toBe(threshold)
    }),
  )
})
