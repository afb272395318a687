// Tags of buckets over a store that does not speak S3.
import {
  CreateBucketCommand,
  DeleteBucketTaggingCommand,
  GetBucketTaggingCommand,
  PutBucketTaggingCommand,
  type Tag,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOfRefusal, refused } from '../helpers/refused.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway()
  await gateway.client().send(new CreateBucketCommand({ Bucket: 'tagged' }))
})
afterAll(() => gateway.close())

const put = (TagSet: Tag[], Bucket = 'tagged') =>
  gateway.client().send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }))
const get = async (Bucket = 'tagged') => (await gateway.client().send(new GetBucketTaggingCommand({ Bucket }))).TagSet

test('B69 B99 tags are kept as they were given, the empty value and every script too', async () => {
  const tags = [
    { Key: 'team', Value: 'storage' },
    { Key: 'Ünïcode 名前', Value: '' },
    { Key: '+ - = . _ : / @', Value: 'a/b' },
  ]
  const answer = await put(tags)
  expect(answer.$metadata.httpStatusCode).toBe(204)
  expect(await get()).toEqual(tags)
  await put([{ Key: 'other', Value: 'x' }])
  expect(await get()).toEqual([{ Key: 'other', Value: 'x' }])
  await gateway.client().send(new DeleteBucketTaggingCommand({ Bucket: 'tagged' }))
  expect(await refused(get())).toMatchObject({ code: 'NoSuchTagSet', status: 404 })
})

test('B69 a bucket has up to 50 tags', async () => {
  const tags = Array.from({ length: 50 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }))
  await put(tags)
  expect(await get()).toHaveLength(50)
  expect(await codeOfRefusal(put([...tags, { Key: 'one-more', Value: '' }]))).toBe('BadRequest')
  expect(await get()).toHaveLength(50)
})

test.each([
  ['a key of 129 characters', { Key: 'k'.repeat(129), Value: '' }],
  ['an empty key', { Key: '', Value: '' }],
  ['a value of 257 characters', { Key: 'k', Value: 'v'.repeat(257) }],
  ['a sign that tags do not have', { Key: 'a;b', Value: '' }],
  ['a sign that values do not have', { Key: 'a', Value: '<b>' }],
  ['a tag of the system', { Key: 'aws:mine', Value: '' }],
])('B69 %s is InvalidTag', async (_, tag) => {
  expect(await refused(put([tag]))).toMatchObject({ code: 'InvalidTag', status: 400 })
})

test('B69 a key that is there twice is InvalidTag', async () => {
  const twice = [
    { Key: 'a', Value: '1' },
    { Key: 'a', Value: '2' },
  ]
  expect(await codeOfRefusal(put(twice))).toBe('InvalidTag')
})

test('B69 the longest key and value that S3 takes', async () => {
  const tags = [{ Key: 'k'.repeat(128), Value: 'v'.repeat(256) }]
  await put(tags)
  expect(await get()).toEqual(tags)
})

test('a bucket may be born with tags', async () => {
  const s3 = gateway.client()
  const Tags = [{ Key: 'born', Value: 'with' }]
  await s3.send(new CreateBucketCommand({ Bucket: 'born-tagged', CreateBucketConfiguration: { Tags } }))
  expect(await get('born-tagged')).toEqual(Tags)
  const bad = { Tags: [{ Key: 'aws:x', Value: '' }] }
  expect(
    await codeOfRefusal(s3.send(new CreateBucketCommand({ Bucket: 'never', CreateBucketConfiguration: bad }))),
  ).toBe('InvalidTag')
  expect(await gateway.store.headBucket('never')).toBeUndefined()
})
