import { expect, test } from 'vitest'
import { grantHeadersOf } from '../../src/s3/acl.ts'
import { parseXml } from '../../src/s3/xml.ts'

const policy = (owner: string, ...grants: string[]) => {
  const list = grants.map(
    (grantee) => `<Grant><Grantee>${grantee}</Grantee><Permission>FULL_CONTROL</Permission></Grant>`,
  )
  const text = `<AccessControlPolicy><Owner><ID>${owner}</ID></Owner><AccessControlList>${list.join('')}</AccessControlList></AccessControlPolicy>`
  return parseXml(Buffer.from(text), 10_000)
}

test('what its owner alone may do needs no headers, also where a store names nobody', () => {
  expect(grantHeadersOf(policy('me', '<ID>me</ID>'))).toEqual({})
  expect(grantHeadersOf(policy('', '<Type>CanonicalUser</Type>'))).toEqual({})
})

test('a grant to nobody of a store that names its owner is not understood', () => {
  expect(() => grantHeadersOf(policy('me', '<Type>CanonicalUser</Type>'))).toThrow(
    expect.objectContaining({ code: 'MalformedACLError' }),
  )
})

test('what others may do is granted by headers', () => {
  expect(grantHeadersOf(policy('me', '<ID>me</ID>', '<URI>everybody</URI>'))).toEqual({
    'x-amz-grant-full-control': 'id="me", uri="everybody"',
  })
})
