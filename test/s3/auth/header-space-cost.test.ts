/** Spaces in a header must not cost more than their number: the signature of a request is not known to be good when they are read. */
import { expect, test } from 'vitest'
import { collapseSpacesOutsideQuotes } from '../../../src/s3/auth/canonical-request.ts'

test('a long run of spaces inside quotes takes linear time', () => {
  // The largest header section that can be configured. Quadratic work takes seconds here, linear work a millisecond.
  const value = `"${' '.repeat(65_536)}"x`
  const start = performance.now()
  expect(collapseSpacesOutsideQuotes(value)).toBe(value)
  expect(performance.now() - start).toBeLessThan(500)
})

test.each([
  [' \t a "b  c" \t ', 'a "b  c"'],
  ['\u00c3\u00a0', '\u00c3\u00a0'],
  [' \t ', ''],
  ['', ''],
])('%j is trimmed to %j', (value, trimmed) => {
  expect(collapseSpacesOutsideQuotes(value)).toBe(trimmed)
})
