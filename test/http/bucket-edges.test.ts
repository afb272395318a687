/** Buckets at their edges: what may be one, where it is, and what happens when it is there already (S3 behaviour 95 to 97). */
import { CreateBucketCommand, GetBucketLocationCommand, HeadBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

let classic: TestGateway
let elsewhere: TestGateway
beforeAll(async () => {
  classic = await startGateway({ region: 'us-east-1' })
  elsewhere = await startGateway({ region: 'eu-west-1' })
})
afterAll(() => Promise.all([classic.close(), elsewhere.close()]))

const create = (gateway: TestGateway, Bucket: string, constraint?: string) =>
  gateway.client({ region: gateway.gateway.region ?? '' }).send(
    new CreateBucketCommand({
      Bucket,
      ...(constraint !== undefined && { CreateBucketConfiguration: { LocationConstraint: constraint as 'EU' } }),
    }),
  )
const located = async (gateway: TestGateway, Bucket: string) =>
  (await gateway.client({ region: gateway.gateway.region ?? '' }).send(new GetBucketLocationCommand({ Bucket })))
    .LocationConstraint

describe('a bucket that one has already', () => {
  test('B95 is made again in us-east-1, and BucketAlreadyOwnedByYou elsewhere', async () => {
    for (const gateway of [classic, elsewhere]) await create(gateway, 'twice')
    expect((await create(classic, 'twice')).$metadata.httpStatusCode).toBe(200)
    expect(await failure(create(elsewhere, 'twice'))).toEqual(['BucketAlreadyOwnedByYou', 409])
  })
})

describe('the place of a bucket', () => {
  test('B96 is empty in us-east-1, and elsewhere the name of the region', async () => {
    await create(classic, 'here')
    const { bytes } = await send(classic, { method: 'GET', path: '/here?location' })
    expect(bytes.toString()).toMatch(/<LocationConstraint xmlns="[^"]+">\s*<\/LocationConstraint>$/)
    for (const constraint of ['eu-west-1', 'EU', undefined]) {
      const bucket = `there-${constraint?.toLowerCase()}`
      await create(elsewhere, bucket, constraint)
      expect(await located(elsewhere, bucket)).toBe('eu-west-1')
    }
  })

  test('B96 us-east-1 has no name in a request, and another region is refused', async () => {
    for (const gateway of [classic, elsewhere]) {
      expect(await failure(create(gateway, 'nowhere', 'us-east-1'))).toEqual(['InvalidLocationConstraint', 400])
      expect(await failure(create(gateway, 'nowhere', 'ap-south-1'))).toEqual([
        'IllegalLocationConstraintException',
        400,
      ])
      expect(await gateway.store.headBucket('nowhere')).toBeUndefined()
    }
  })
})

describe('names of buckets', () => {
  test.each([
    'ab',
    'a'.repeat(64),
    'Upper',
    'under_score',
    'with space',
    'bücket',
    '-first',
    'last-',
    '.first',
    'last.',
    'a..b',
    '192.168.5.4',
    'xn--name',
    'sthree-name',
    'name-s3alias',
    'name--ol-s3',
    'name--x-s3',
  ])('B97 %j is InvalidBucketName', async (name) => {
    const path = `/${encodeURIComponent(name)}`
    const answer = await send(classic, { method: 'PUT', path })
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidBucketName'])
    expect((await send(classic, { method: 'HEAD', path })).status).toBeGreaterThanOrEqual(400)
  })

  test('B97 of 3 to 63 lower-case letters, digits, dots and hyphens are right', async () => {
    for (const Bucket of ['abc', 'a'.repeat(63), '1-2.3-x', '192.168.5.4.5']) {
      await create(classic, Bucket)
      await classic.client().send(new HeadBucketCommand({ Bucket }))
    }
  })
})
