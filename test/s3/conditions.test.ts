import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  evaluateCopySource,
  evaluateRead,
  evaluateWrite,
  hasConditions,
  parseConditions,
  parseDeleteConditions,
  parseWriteConditions,
  rangeApplies,
} from '../../src/s3/conditions.ts'
import { answer } from './auth/fixtures.ts'
import { codeOf, headers } from './requests.ts'

const ETAG = 'abc123'
// Half a second late: conditions compare whole seconds (B53).
const OBJECT = { etag: ETAG, lastModified: new Date('2024-05-06T07:08:09.500Z') }
const BEFORE = 'Mon, 06 May 2024 07:08:08 GMT'
const SAME = 'Mon, 06 May 2024 07:08:09 GMT'
const AFTER = 'Mon, 06 May 2024 07:08:10 GMT'

const read = (entries: Record<string, string>): string => {
  try {
    return evaluateRead(parseConditions(headers(entries)), OBJECT)
  } catch {
    return answer(() => evaluateRead(parseConditions(headers(entries)), OBJECT)).extra.Condition ?? '?'
  }
}

describe('Conditions of GET and HEAD', () => {
  test.each([
    [{}, 'ok'],
    [{ 'if-match': '"abc123"' }, 'ok'],
    [{ 'if-match': 'abc123' }, 'ok'],
    [{ 'if-match': '*' }, 'ok'],
    [{ 'if-match': '"x", "abc123"' }, 'ok'],
    [{ 'if-match': 'x,abc123' }, 'ok'],
    [{ 'if-match': 'W/"abc123"' }, 'ok'],
    [{ 'if-match': '"x"' }, 'If-Match'],
    [{ 'if-match': '"x,abc123"' }, 'If-Match'],
    [{ 'if-match': 'ABC123' }, 'If-Match'],
    [{ 'if-none-match': '"abc123"' }, 'not-modified'],
    [{ 'if-none-match': 'abc123' }, 'not-modified'],
    [{ 'if-none-match': 'W/"abc123"' }, 'not-modified'],
    [{ 'if-none-match': '"x", W/"abc123"' }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"x"' }, 'ok'],
    [{ 'if-modified-since': BEFORE }, 'ok'],
    [{ 'if-modified-since': SAME }, 'not-modified'],
    [{ 'if-modified-since': AFTER }, 'not-modified'],
    [{ 'if-unmodified-since': BEFORE }, 'If-Unmodified-Since'],
    [{ 'if-unmodified-since': SAME }, 'ok'],
    [{ 'if-unmodified-since': AFTER }, 'ok'],
  ])('%j gives %s (B46, B48)', (entries, outcome) => {
    expect(read(entries)).toBe(outcome)
  })

  test.each([
    [{ 'if-match': '"abc123"', 'if-unmodified-since': BEFORE }, 'ok'],
    [{ 'if-match': '"x"', 'if-unmodified-since': AFTER }, 'If-Match'],
    [{ 'if-none-match': '"abc123"', 'if-modified-since': BEFORE }, 'not-modified'],
    [{ 'if-none-match': '"x"', 'if-modified-since': AFTER }, 'ok'],
    [{ 'if-match': '"x"', 'if-none-match': '"abc123"' }, 'If-Match'],
    [{ 'if-match': '"abc123"', 'if-none-match': '"abc123"' }, 'not-modified'],
    [{ 'if-unmodified-since': BEFORE, 'if-none-match': '"abc123"' }, 'If-Unmodified-Since'],
  ])('%j has the precedence of RFC 9110: %s (B46)', (entries, outcome) => {
    expect(read(entries)).toBe(outcome)
  })

  test('a failed If-Match is 412 with its Condition', () => {
    expect(answer(() => evaluateRead(parseConditions(headers({ 'if-match': 'x' })), OBJECT))).toEqual({
      status: 412,
      code: 'PreconditionFailed',
      extra: { Condition: 'If-Match' },
    })
  })

  test.each(['yesterday', '', '2024-05-06T07:08:08Z', 'Mon, 99 May 2024 07:08:08 GMT'])(
    'the invalid date %j is ignored (B48)',
    (date) => {
      expect(hasConditions(parseConditions(headers({ 'if-modified-since': date, 'if-unmodified-since': date })))).toBe(
        false,
      )
    },
  )

  test('any list of tags matches exactly its members, quoted or not', () => {
    const tag = fc.stringMatching(/^[0-9a-f]{1,6}(-\d)?$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(tag, fc.boolean()), { minLength: 1, maxLength: 5 }), tag, (tags, other) => {
        const list = tags.map(([text, quoted]) => (quoted ? `"${text}"` : text)).join(', ')
        const conditions = parseConditions(headers({ 'if-none-match': list }))
        for (const etag of [other, ...tags.map(([text]) => text)]) {
          const listed = tags.some(([text]) => text === etag)
          expect(evaluateRead(conditions, { ...OBJECT, etag })).toBe(listed ? 'not-modified' : 'ok')
        }
      }),
    )
  })

  test('a header of 16 KB of marks is read in no time', () => {
    const started = performance.now()
    parseConditions(headers({ 'if-match': '&quot;'.repeat(2700), 'if-none-match': ' '.repeat(16_000) + '"' }))
    expect(performance.now() - started).toBeLessThan(500)
  })
})

describe('If-Range', () => {
  test.each([
    [undefined, true],
    ['"abc123"', true],
    ['"x"', false],
    ['W/"abc123"', false],
    [SAME, true],
    [BEFORE, false],
    [AFTER, false],
  ])('%s: the range applies: %s', (value, applies) => {
    expect(rangeApplies(headers(value === undefined ? {} : { 'if-range': value }), OBJECT)).toBe(applies)
  })
})

describe('Conditions of a copy source', () => {
  const PREFIX = 'x-amz-copy-source-'
  const copy = (entries: Record<string, string>): void =>
    evaluateCopySource(parseConditions(headers(entries), PREFIX), OBJECT)

  test.each([
    [{ [`${PREFIX}if-match`]: 'x' }, 'x-amz-copy-source-If-Match'],
    [{ [`${PREFIX}if-none-match`]: ETAG }, 'x-amz-copy-source-If-None-Match'],
    [{ [`${PREFIX}if-modified-since`]: AFTER }, 'x-amz-copy-source-If-Modified-Since'],
    [{ [`${PREFIX}if-unmodified-since`]: BEFORE }, 'x-amz-copy-source-If-Unmodified-Since'],
  ])('%j fails with 412 (B66)', (entries, condition) => {
    expect(answer(() => copy(entries))).toEqual({
      status: 412,
      code: 'PreconditionFailed',
      extra: { Condition: condition },
    })
  })

  test('those that hold let the copy go on, and those of the target are not theirs', () => {
    expect(() => copy({ [`${PREFIX}if-match`]: `"${ETAG}"`, [`${PREFIX}if-unmodified-since`]: BEFORE })).not.toThrow()
    expect(() => copy({ 'if-match': 'x' })).not.toThrow()
  })
})

describe('Conditions of a write (B60)', () => {
  test.each([
    [{}, {}],
    [{ 'if-none-match': '*' }, { ifNoneMatch: '*' }],
    [{ 'if-none-match': '"*"' }, { ifNoneMatch: '*' }],
    [{ 'if-match': '"abc"' }, { ifMatch: 'abc' }],
    [{ 'if-match': 'abc' }, { ifMatch: 'abc' }],
    [{ 'if-match': '*' }, { ifMatch: '*' }],
  ])('%j is read as %j', (entries, conditions) => {
    expect(parseWriteConditions(headers(entries))).toEqual(conditions)
  })

  test.each([
    [{ 'if-none-match': '"abc"' }],
    [{ 'if-none-match': '' }],
    [{ 'if-match': 'abc', 'if-none-match': '*' }],
    [{ 'if-match': '"a", "b"' }],
    [{ 'if-match': '' }],
  ])('%j is 501 NotImplemented', (entries) => {
    expect(codeOf(() => parseWriteConditions(headers(entries)))).toBe('NotImplemented')
  })

  test('If-None-Match * fails on an existing object', () => {
    expect(answer(() => evaluateWrite({ ifNoneMatch: '*' }, { etag: 'abc' })).extra).toEqual({
      Condition: 'If-None-Match',
    })
    expect(() => evaluateWrite({ ifNoneMatch: '*' }, undefined)).not.toThrow()
  })

  test('If-Match fails with 412 on another object and with 404 on none', () => {
    expect(answer(() => evaluateWrite({ ifMatch: 'abc' }, { etag: 'def' })).extra).toEqual({ Condition: 'If-Match' })
    expect(codeOf(() => evaluateWrite({ ifMatch: 'abc' }, undefined))).toBe('NoSuchKey')
    expect(codeOf(() => evaluateWrite({ ifMatch: '*' }, undefined))).toBe('NoSuchKey')
    expect(() => evaluateWrite({ ifMatch: '*' }, { etag: 'def' })).not.toThrow()
    expect(() => evaluateWrite({ ifMatch: 'def' }, { etag: 'def' })).not.toThrow()
    expect(() => evaluateWrite({}, undefined)).not.toThrow()
  })

  test('a delete knows If-Match only', () => {
    expect(parseDeleteConditions(headers({ 'if-match': '"abc"' }))).toEqual({ ifMatch: 'abc' })
    expect(parseDeleteConditions(headers())).toEqual({})
    expect(codeOf(() => parseDeleteConditions(headers({ 'if-none-match': '*' })))).toBe('NotImplemented')
  })
})
