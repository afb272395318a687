import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formBoundary, type FormField, FormParser, MAX_FIELD_BYTES } from '../../src/s3/form-data.ts'
import { codeOf } from './requests.ts'

const BOUNDARY = '----form7'

const part = (disposition: string, value: Buffer | string, headers = ''): Buffer =>
  Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n${headers}\r\n`),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ])
const END = Buffer.from(`--${BOUNDARY}--\r\n`)
const form = (...parts: (Buffer | string)[]): Buffer => Buffer.concat([...parts.map((one) => Buffer.from(one)), END])

interface Parsed {
  readonly fields: readonly FormField[]
  readonly filename: string | undefined
  readonly file: Buffer
}

function parse(pieces: readonly Buffer[], boundary = BOUNDARY): Parsed {
  const parser = new FormParser(boundary)
  const file = pieces.flatMap((piece) => parser.push(piece))
  parser.end()
  return { fields: parser.fields, filename: parser.filename, file: Buffer.concat(file) }
}

/** Cuts at the given places, in any order, repeated or beyond the end. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
  return [0, ...sorted].map((from, n) => bytes.subarray(from, sorted[n] ?? bytes.length))
}

const refused = (...parts: (Buffer | string)[]) =>
  codeOf(() => parse([Buffer.concat(parts.map((one) => Buffer.from(one)))]))

describe('A form', () => {
  test('is its fields and its file; what follows the file is ignored', () => {
    const whole = form(
      part('name="key"', 'a/b'),
      part('name="empty"', ''),
      part('name="file"; filename="C:\\photos\\ä \\"1\\".jpg"', 'contents\r\n--', 'Content-Type: image/jpeg\r\n'),
      part('name="acl"', 'public-read'),
      part('name="file"; filename="second"', 'ignored'),
    )
    expect(parse([whole])).toEqual({
      fields: [
        { name: 'key', value: 'a/b' },
        { name: 'empty', value: '' },
      ],
      filename: 'ä "1".jpg',
      file: Buffer.from('contents\r\n--'),
    })
  })

  test('may have an empty file, and a file without a name', () => {
    expect(parse([form(part('name=file', ''))])).toEqual({ fields: [], filename: '', file: Buffer.alloc(0) })
  })

  const nasty = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    // What almost is the delimiter.
    fc
      .array(fc.constantFrom('\r', '\n', '\r\n', '-', '--', `\r\n--${BOUNDARY.slice(0, -1)}`, BOUNDARY, 'x'), {
        maxLength: 30,
      })
      .map((pieces) => Buffer.from(pieces.join('')))
      .filter((bytes) => !bytes.includes(`\r\n--${BOUNDARY}`)),
  )
  const field = fc.record({
    name: fc.stringMatching(/^[a-eg-zA-Z][\w-]{0,20}$/),
    value: fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => Buffer.from(text).toString() === text),
  })

  test('is the same in whatever pieces it comes', () => {
    fc.assert(
      fc.property(
        fc.array(field, { maxLength: 6 }),
        nasty,
        nasty,
        fc.array(fc.nat(), { maxLength: 40 }),
        (fields, file, after, places) => {
          const whole = form(
            ...fields.map(({ name, value }) => part(`name="${name}"`, value)),
            part('name="file"; filename="f"', file),
            part('name="after"', after),
          )
          const expected: Parsed = { fields, filename: 'f', file }
          expect(parse([whole])).toEqual(expected)
          expect(parse(cut(whole, places))).toEqual(expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('is the same byte by byte', () => {
    const whole = form(part('name="key"', 'k'), part('name="file"; filename="f"', '\r\r\n\r\n-\r\n--\r\n----form'))
    expect(
      parse(
        whole
          .toString('latin1')
          .split('')
          .map((c) => Buffer.from(c, 'latin1')),
      ),
    ).toEqual(parse([whole]))
  })

  test('cut off anywhere before the end of its file is refused, never shortened', () => {
    const whole = form(part('name="key"', 'k'), part('name="file"; filename="f"', 'contents'))
    const least = whole.length - END.length + `--${BOUNDARY}--`.length
    for (let length = 0; length < whole.length; length += 1) {
      const read = (): Parsed => parse([whole.subarray(0, length)])
      if (length < least) expect(codeOf(read)).toBe('MalformedPOSTRequest')
      else expect(read().file.toString()).toBe('contents')
    }
  })

  test('any bytes are a form or are refused as none', () => {
    const answers = ['MalformedPOSTRequest', 'InvalidArgument', 'MaxPostPreDataLengthExceededError']
    const start = Buffer.from(`--${BOUNDARY}`)
    fc.assert(
      fc.property(nasty, fc.array(fc.nat(), { maxLength: 5 }), (bytes, places) => {
        for (const whole of [bytes, Buffer.concat([start, bytes]), Buffer.concat([form(part('name="a"', bytes))])]) {
          const one = codeOf(() => parse([whole]))
          expect(answers).toContain(one)
          expect(codeOf(() => parse(cut(whole, places)))).toBe(one)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('What is no form', () => {
  const file = part('name="file"; filename="f"', 'x')
  test.each([
    ['nothing', ['']],
    ['something before the first boundary', ['preamble\r\n', file, END]],
    ['another boundary', [file.toString().replace(BOUNDARY, 'other'), END]],
    ['a part without a name', [part('filename="f"', 'x'), END]],
    ['a part without Content-Disposition', [`--${BOUNDARY}\r\nContent-Type: a/b\r\n\r\nx\r\n`, END]],
    ['a part that is an attachment', [file.toString().replace('form-data', 'attachment'), END]],
    ['a field that is no UTF-8', [part('name="a"', Buffer.from([0xff])), file, END]],
    ['a boundary that goes on in another way', [`--${BOUNDARY}x\r\n`, file, END]],
    ['a file that ends in what only looks like the boundary', [file, `--${BOUNDARY}x`]],
    ['headers without an end', [`--${BOUNDARY}\r\nA: ${'x'.repeat(5_000)}`]],
    ['more than a megabyte behind the file', [file, END, Buffer.alloc(1024 * 1024)]],
  ])('%s is MalformedPOSTRequest', (_what, parts) => {
    expect(refused(...parts)).toBe('MalformedPOSTRequest')
  })

  test('a form without a file is InvalidArgument', () => {
    expect(refused(part('name="key"', 'k'), END)).toBe('InvalidArgument')
  })

  test('fields of more than 20 KB in all are refused, in one piece and in many', () => {
    const head = part('name="file"; filename="f"', '').length - 2
    const field = (length: number): Buffer => part('name="a"', 'x'.repeat(length))
    const room = MAX_FIELD_BYTES - head - field(0).length
    expect(parse([Buffer.concat([field(room), file, END])]).file.toString()).toBe('x')
    expect(refused(field(room + 1), file, END)).toBe('MaxPostPreDataLengthExceededError')
    const parser = new FormParser(BOUNDARY)
    const forever = (): void => {
      parser.push(part('name="a"', '').subarray(0, -2))
      for (let n = 0; n < 100; n += 1) parser.push(Buffer.alloc(1024))
    }
    expect(codeOf(forever)).toBe('MaxPostPreDataLengthExceededError')
  })
})

describe('B107 the Content-Type of a form', () => {
  test.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data;charset=utf-8; Boundary="a b:c"', 'a b:c'],
  ])('%s', (text, boundary) => expect(formBoundary(text)).toBe(boundary))
  test.each([undefined, '', 'text/plain', 'multipart/mixed; boundary=a', 'multipart/form-data-x; boundary=a'])(
    '%s is PreconditionFailed',
    (text) => expect(codeOf(() => formBoundary(text))).toBe('PreconditionFailed'),
  )
  test.each([
    'multipart/form-data',
    'multipart/form-data; boundary=',
    `multipart/form-data; boundary=${'x'.repeat(71)}`,
    'multipart/form-data; boundary="a "',
  ])('%s is MalformedPOSTRequest', (text) => expect(codeOf(() => formBoundary(text))).toBe('MalformedPOSTRequest'))
})
