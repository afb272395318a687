import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeBase64, decodeBase64url, encodeBase64, encodeBase64url } from '../../src/keys/base64.ts'

it('writes what everybody writes, and reads it back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = encodeBase64(Buffer.from(bytes))
      expect(text.toString()).toBe(Buffer.from(bytes).toString('base64'))
      expect(decodeBase64(text)?.equals(Buffer.from(bytes))).toBe(true)
      const named = encodeBase64url(Buffer.from(bytes))
      expect(named.toString()).toBe(Buffer.from(bytes).toString('base64url'))
      expect(decodeBase64url(named)?.equals(Buffer.from(bytes))).toBe(true)
    }),
  )
})

it('reads one text for each row of bytes, and nothing else', () => {
  const alphabet = fc.constantFrom(...'ABab01+/=-_\n "'.split(''))
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 12 }), (text) => {
      const bytes = decodeBase64(Buffer.from(text))
      if (bytes === undefined) expect(Buffer.from(text, 'base64').toString('base64')).not.toBe(text)
      else expect(bytes.toString('base64')).toBe(text)
      const named = decodeBase64url(Buffer.from(text))
      if (named === undefined) expect(Buffer.from(text, 'base64url').toString('base64url')).not.toBe(text)
      else expect(named.toString('base64url')).toBe(text)
    }),
    { numRuns: 2_000 },
  )
})
