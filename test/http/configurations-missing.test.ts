// What every configuration has in common: without a bucket, before anything was put, and after a DELETE (B93, B99).
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send, type SignedAnswer } from '../helpers/signed-request.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway()
  await gateway.client().send(new CreateBucketCommand({ Bucket: 'fresh' }))
})
afterAll(() => gateway.close())

const call = (method: string, path: string, body?: string): Promise<SignedAnswer> =>
  send(gateway, { method, path, ...(body === undefined ? {} : { body: Buffer.from(body) }) })

/** Sub-resource → what GET answers where nothing was put: an error, or an element of the document. */
const FRESH = [
  ['lifecycle', 404, 'NoSuchLifecycleConfiguration'],
  ['tagging', 404, 'NoSuchTagSet'],
  ['replication', 404, 'ReplicationConfigurationNotFoundError'],
  ['object-lock', 404, 'ObjectLockConfigurationNotFoundError'],
  ['logging', 200, '<BucketLoggingStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></BucketLoggingStatus>'],
  [
    'notification',
    200,
    '<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></NotificationConfiguration>',
  ],
  [
    'accelerate',
    200,
    '<AccelerateConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></AccelerateConfiguration>',
  ],
  ['requestPayment', 200, '<Payer>BucketOwner</Payer>'],
  ['ownershipControls', 200, '<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>'],
  ['publicAccessBlock', 200, '<BlockPublicAcls>true</BlockPublicAcls>'],
  ['acl', 200, '<Permission>FULL_CONTROL</Permission>'],
] as const

describe.each(FRESH)('?%s', (subresource, status, says) => {
  test('B99 of a new bucket', async () => {
    const answer = await call('GET', `/fresh?${subresource}`)
    expect(answer.status).toBe(status)
    expect(answer.bytes.toString()).toContain(says)
  })

  test('B93 a missing bucket is said before anything else', async () => {
    for (const [method, body] of [['GET'], ['PUT', '<not-even-xml'], ['DELETE']] as const) {
      const answer = await call(method, `/missing?${subresource}`, body)
      // Of some there is no DELETE.
      if (answer.status === 405) expect(method).toBe('DELETE')
      else expect([answer.status, codeOf(answer)]).toEqual([404, 'NoSuchBucket'])
    }
  })

  test('a document that is none, or another one, is refused and changes nothing', async () => {
    const before = (await call('GET', `/fresh?${subresource}`)).bytes.toString()
    const malformed = subresource === 'acl' ? ['MalformedXML', 'MalformedACLError'] : ['MalformedXML', 'MalformedXML']
    for (const [index, body] of ['<not-even-xml', '<Other/>'].entries()) {
      const answer = await call('PUT', `/fresh?${subresource}`, body)
      expect([answer.status, codeOf(answer)]).toEqual([400, malformed[index]])
    }
    const after = (await call('GET', `/fresh?${subresource}`)).bytes.toString()
    expect(after.replace(/<RequestId>.*/, '')).toBe(before.replace(/<RequestId>.*/, ''))
  })
})

test.each(['lifecycle', 'tagging', 'replication'])(
  'B99 DELETE ?%s is 204 whether or not there is one',
  async (name) => {
    expect((await call('DELETE', `/fresh?${name}`)).status).toBe(204)
  },
)

test.each([
  ['ownershipControls', 'OwnershipControlsNotFoundError'],
  ['publicAccessBlock', 'NoSuchPublicAccessBlockConfiguration'],
])('B99 DELETE ?%s takes away what a new bucket has', async (name, code) => {
  await gateway.client().send(new CreateBucketCommand({ Bucket: 'taken' }))
  expect((await call('DELETE', `/taken?${name}`)).status).toBe(204)
  const answer = await call('GET', `/taken?${name}`)
  expect([answer.status, codeOf(answer)]).toEqual([404, code])
})

test('B99 B104 B108 policies and websites are refused, whoever asks, since nothing would act on them', async () => {
  for (const name of ['policy', 'policyStatus', 'website']) {
    const answer = await call('GET', `/fresh?${name}`)
    expect([answer.status, codeOf(answer)]).toEqual([501, 'NotImplemented'])
  }
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [] })
  const put = await call('PUT', '/fresh?policy', policy)
  expect([put.status, codeOf(put)]).toEqual([501, 'NotImplemented'])
  expect(put.bytes.toString()).toContain('Kept only where it can be evaluated')
})

test('what has no reader here is refused: analytics, inventory, metrics, tiering', async () => {
  for (const name of ['analytics', 'inventory', 'metrics', 'intelligent-tiering']) {
    expect((await call('GET', `/fresh?${name}&id=1`)).status).toBe(501)
  }
})
