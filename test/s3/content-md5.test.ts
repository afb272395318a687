import { expect, test } from 'vitest'
import { parseContentMd5 } from '../../src/s3/content-md5.ts'
import { Headers } from '../../src/s3/headers.ts'
import { answer } from './auth/fixtures.ts'

test('Content-MD5 gives its 16 bytes, or nothing where it is absent', () => {
  expect(parseContentMd5(new Headers([]))).toBeUndefined()
  const digest = Buffer.from('d41d8cd98f00b204e9800998ecf8427e', 'hex')
  expect(parseContentMd5(new Headers(['Content-MD5', digest.toString('base64')]))).toEqual(digest)
})

test.each([
  '',
  'bogus',
  'd41d8cd98f00b204e9800998ecf8427e',
  '1B2M2Y8AsgTpgAmY7PhCfg',
  '1B2M2Y8AsgTpgAmY7PhCfh==',
  ' 1B2M2Y8AsgTpgAmY7PhCfg==',
  '1B2M2Y8AsgTpgAmY7PhCfg===',
  '1B2M2Y8AsgTpgAmY7PhCfgA=',
  '1B2M2Y8AsgTpgAmY7PhC-g==',
])('B29: Content-MD5 <%s> is 400 InvalidDigest', (text) => {
  expect(answer(() => parseContentMd5(new Headers(['content-md5', text])))).toEqual({
    status: 400,
    code: 'InvalidDigest',
    extra: { 'Content-MD5': text },
  })
})

test('B29: two Content-MD5 headers are 400 InvalidDigest', () => {
  const md5 = '1B2M2Y8AsgTpgAmY7PhCfg=='
  expect(answer(() => parseContentMd5(new Headers(['content-md5', md5, 'content-md5', md5]))).code).toBe(
    'InvalidDigest',
  )
})
