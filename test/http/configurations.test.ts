// Configurations of buckets that the gateway keeps, over a store that does not speak S3.
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketRequestPaymentCommand,
  PutBucketRequestPaymentCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

describe('configurations of buckets', () => {
  let gateway: TestGateway

  beforeAll(async () => {
    gateway = await startGateway()
    await gateway.client().send(new CreateBucketCommand({ Bucket: 'config' }))
  })
  afterAll(() => gateway.close())

  test('B99 request payment: the owner pays until something else is put', async () => {
    const s3 = gateway.client()
    expect((await s3.send(new GetBucketRequestPaymentCommand({ Bucket: 'config' }))).Payer).toBe('BucketOwner')
    const RequestPaymentConfiguration = { Payer: 'Requester' } as const
    await s3.send(new PutBucketRequestPaymentCommand({ Bucket: 'config', RequestPaymentConfiguration }))
    expect((await s3.send(new GetBucketRequestPaymentCommand({ Bucket: 'config' }))).Payer).toBe('Requester')
  })

  test('a document that S3 does not know changes nothing', async () => {
    const s3 = gateway.client()
    const odd = Buffer.from(
      '<RequestPaymentConfiguration><Payer>BucketOwner</Payer><Odd/></RequestPaymentConfiguration>',
    )
    expect(codeOf(await send(gateway, { method: 'PUT', path: '/config?requestPayment', body: odd }))).toBe(
      'MalformedXML',
    )
    const RequestPaymentConfiguration = { Payer: 'Nobody' as 'Requester' }
    await expect(
      s3.send(new PutBucketRequestPaymentCommand({ Bucket: 'config', RequestPaymentConfiguration })),
    ).rejects.toMatchObject({ name: 'MalformedXML' })
    expect((await s3.send(new GetBucketRequestPaymentCommand({ Bucket: 'config' }))).Payer).toBe('Requester')
  })

  test('B93 a missing bucket is said before anything else', async () => {
    const s3 = gateway.client()
    await expect(s3.send(new GetBucketRequestPaymentCommand({ Bucket: 'missing' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    })
    const RequestPaymentConfiguration = { Payer: 'Nobody' as 'Requester' }
    await expect(
      s3.send(new PutBucketRequestPaymentCommand({ Bucket: 'missing', RequestPaymentConfiguration })),
    ).rejects.toMatchObject({ name: 'NoSuchBucket' })
  })

  test('a new bucket of the same name begins without them', async () => {
    const s3 = gateway.client()
    await s3.send(new DeleteBucketCommand({ Bucket: 'config' }))
    await s3.send(new CreateBucketCommand({ Bucket: 'config' }))
    expect((await s3.send(new GetBucketRequestPaymentCommand({ Bucket: 'config' }))).Payer).toBe('BucketOwner')
  })
})
