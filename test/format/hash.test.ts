import { expect, test } from 'vitest'
import { md5, newMd5, newSha256, sha256, sha256Hex } from '../../src/format/hash.ts'

test('hashes agree with the published values, whole and in pieces', () => {
  const [a, b] = [Buffer.from('a'), Buffer.from('bc')]
  const abc = Buffer.from('abc')
  const [md5Hex, shaHex] = [
    '900150983cd24fb0d6963f7d28e17f72',
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  ]
  expect(md5(abc).toString('hex')).toBe(md5Hex)
  expect(sha256(abc).toString('hex')).toBe(shaHex)
  expect([sha256Hex(abc), sha256Hex('abc')]).toEqual([shaHex, shaHex])
  const [inner, outer] = [newMd5(), newSha256()]
  for (const piece of [a, b]) {
    inner.update(piece)
    outer.update(piece)
  }
  expect([inner.digest().toString('hex'), outer.digest().toString('hex')]).toEqual([md5Hex, shaHex])
})
