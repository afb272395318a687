// Lifecycle rules over a store that does not speak S3: checked as S3 does, kept and told (B103).
import {
  CreateBucketCommand,
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { refused } from '../helpers/refused.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

const Bucket = 'aging'
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway()
  await gateway.client().send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => gateway.close())

type Rule = Omit<LifecycleRule, 'Status' | 'ID'> & {
  ID?: string | undefined
  Status?: 'Enabled' | 'Disabled' | undefined
}

const put = (rules: readonly Rule[]) =>
  gateway.client().send(
    new PutBucketLifecycleConfigurationCommand({
      Bucket,
      LifecycleConfiguration: { Rules: rules.map((rule) => ({ ...rule, Status: rule.Status ?? 'Enabled' })) },
    }),
  )
const get = async () => (await gateway.client().send(new GetBucketLifecycleConfigurationCommand({ Bucket }))).Rules
const putXml = (rules: string) =>
  send(gateway, {
    method: 'PUT',
    path: `/${Bucket}?lifecycle`,
    body: Buffer.from(`<LifecycleConfiguration>${rules}</LifecycleConfiguration>`),
  })

const Filter = { Prefix: 'logs/' }
const Expiration = { Days: 30 }

describe('rules that S3 takes', () => {
  test('are given back as they were put, each action and each filter', async () => {
    const rules: LifecycleRule[] = [
      { ID: 'all', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } },
      { ID: 'marker', Status: 'Disabled', Filter, Expiration: { ExpiredObjectDeleteMarker: true } },
      {
        ID: 'tagged',
        Status: 'Enabled',
        Filter: { Tag: { Key: 'k', Value: 'v' } },
        Expiration: { Date: new Date('2030-01-01') },
      },
      {
        ID: 'and',
        Status: 'Enabled',
        Filter: {
          And: { Prefix: 'a', Tags: [{ Key: 'k', Value: 'v' }], ObjectSizeGreaterThan: 10, ObjectSizeLessThan: 20 },
        },
        Transitions: [
          { Days: 30, StorageClass: 'STANDARD_IA' },
          { Days: 90, StorageClass: 'GLACIER' },
        ],
        Expiration: { Days: 365 },
      },
      {
        ID: 'old',
        Status: 'Enabled',
        Filter: { ObjectSizeGreaterThan: 0 },
        NoncurrentVersionExpiration: { NoncurrentDays: 7, NewerNoncurrentVersions: 3 },
        NoncurrentVersionTransitions: [{ NoncurrentDays: 1, StorageClass: 'GLACIER_IR' }],
      },
      { ID: 'abort', Status: 'Enabled', Filter, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 } },
    ]
    await put(rules)
    expect(await get()).toEqual(rules)
  })

  test('get an id where they came without one', async () => {
    await put([
      { Filter, Expiration },
      { ID: '', Filter: { Prefix: 'b' }, Expiration },
    ])
    const ids = (await get())?.map(({ ID }) => ID)
    expect(ids?.every((id) => id !== undefined && id.length > 16)).toBe(true)
    expect(new Set(ids).size).toBe(2)
  })

  test('may be of the older form with Prefix', async () => {
    expect(
      (await putXml('<Rule><Prefix>x</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>'))
        .status,
    ).toBe(200)
    expect((await get())?.[0]).toMatchObject({ Prefix: 'x', Expiration: { Days: 3 } })
  })

  test('tell the least size of transitions, which is 128 KiB unless another was put', async () => {
    const s3 = gateway.client()
    await put([{ Filter, Expiration }])
    const least = async () => {
      const got = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
      return got.TransitionDefaultMinimumObjectSize
    }
    expect(await least()).toBe('all_storage_classes_128K')
    const sent = new PutBucketLifecycleConfigurationCommand({
      Bucket,
      TransitionDefaultMinimumObjectSize: 'varies_by_storage_class',
      LifecycleConfiguration: { Rules: [{ Status: 'Enabled', Filter, Expiration }] },
    })
    expect((await s3.send(sent)).TransitionDefaultMinimumObjectSize).toBe('varies_by_storage_class')
    expect(await least()).toBe('varies_by_storage_class')
  })

  test('are gone after a DELETE', async () => {
    await put([{ Filter, Expiration }])
    const answer = await gateway.client().send(new DeleteBucketLifecycleCommand({ Bucket }))
    expect(answer.$metadata.httpStatusCode).toBe(204)
    expect(await refused(get())).toMatchObject({ code: 'NoSuchLifecycleConfiguration', status: 404 })
  })
})

describe('rules that S3 refuses', () => {
  const tags = { Tag: { Key: 'k', Value: 'v' } }

  test.each<readonly [string, readonly Rule[], string]>([
    ['B103 an expiration after 0 days', [{ Filter, Expiration: { Days: 0 } }], 'InvalidArgument'],
    ['B103 an id of 256 characters', [{ ID: 'i'.repeat(256), Filter, Expiration }], 'InvalidArgument'],
    [
      'B103 an id that is there twice',
      [
        { ID: 'a', Filter, Expiration },
        { ID: 'a', Filter: { Prefix: 'b' }, Expiration },
      ],
      'InvalidArgument',
    ],
    ['B103 a status in lower case', [{ Status: 'enabled' as 'Enabled', Filter, Expiration }], 'MalformedXML'],
    [
      'B103 a date that is not midnight',
      [{ Filter, Expiration: { Date: new Date('2030-01-01T01:00:00Z') } }],
      'InvalidArgument',
    ],
    ['no rule', [], 'MalformedXML'],
    ['a rule without an action', [{ Filter }], 'InvalidRequest'],
    ['a rule without filter or prefix', [{ Expiration }], 'MalformedXML'],
    ['filter and prefix', [{ Prefix: 'a', Filter, Expiration }], 'InvalidRequest'],
    ['days and a date', [{ Filter, Expiration: { Days: 1, Date: new Date('2030-01-01') } }], 'MalformedXML'],
    ['a negative delay', [{ Filter, Transitions: [{ Days: -1, StorageClass: 'GLACIER' }] }], 'InvalidArgument'],
    [
      'infrequent access after 29 days',
      [{ Filter, Transitions: [{ Days: 29, StorageClass: 'STANDARD_IA' }] }],
      'InvalidArgument',
    ],
    [
      'a class that nothing moves to',
      [{ Filter, Transitions: [{ Days: 29, StorageClass: 'STANDARD' as 'GLACIER' }] }],
      'MalformedXML',
    ],
    [
      'one class twice',
      [
        {
          Filter,
          Transitions: [
            { Days: 1, StorageClass: 'GLACIER' },
            { Days: 2, StorageClass: 'GLACIER' },
          ],
        },
      ],
      'InvalidRequest',
    ],
    [
      'expiration before transition',
      [{ Filter, Expiration: { Days: 5 }, Transitions: [{ Days: 9, StorageClass: 'GLACIER' }] }],
      'InvalidArgument',
    ],
    [
      'days for one action and a date for another',
      [{ Filter, Expiration, Transitions: [{ Date: new Date('2030-01-01'), StorageClass: 'GLACIER' }] }],
      'InvalidRequest',
    ],
    [
      'tags for uploads in parts',
      [{ Filter: tags, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }],
      'InvalidRequest',
    ],
    ['tags for delete markers', [{ Filter: tags, Expiration: { ExpiredObjectDeleteMarker: true } }], 'InvalidRequest'],
    ['a filter of two', [{ Filter: { Prefix: 'a', ...tags }, Expiration }], 'MalformedXML'],
    [
      'sizes that nothing has',
      [{ Filter: { And: { ObjectSizeGreaterThan: 9, ObjectSizeLessThan: 9 } }, Expiration }],
      'InvalidRequest',
    ],
    [
      '101 newer versions',
      [{ Filter, NoncurrentVersionExpiration: { NoncurrentDays: 1, NewerNoncurrentVersions: 101 } }],
      'InvalidArgument',
    ],
    ['a tag of the system', [{ Filter: { Tag: { Key: 'aws:x', Value: '' } }, Expiration }], 'InvalidTag'],
  ])('%s', async (_, rules, code) => {
    await put([{ ID: 'before', Filter, Expiration }])
    expect(await refused(put(rules))).toMatchObject({ code, status: 400 })
    expect((await get())?.map(({ ID }) => ID)).toEqual(['before'])
  })

  test.each([
    ['B103 a date that is none', '<Date>20200101</Date>', 'MalformedXML'],
    ['a day that is no number', '<Days>one</Days>', 'MalformedXML'],
    ['an element that S3 does not have', '<Weeks>1</Weeks>', 'MalformedXML'],
    ['days twice', '<Days>1</Days><Days>2</Days>', 'MalformedXML'],
  ])('%s', async (_, expiration, code) => {
    const answer = await putXml(`<Rule><Prefix/><Status>Enabled</Status><Expiration>${expiration}</Expiration></Rule>`)
    expect([answer.status, codeOf(answer)]).toEqual([400, code])
  })

  test('1,001 rules', async () => {
    const rules = Array.from({ length: 1_001 }, (_, index) => ({ Filter: { Prefix: `p${index}` }, Expiration }))
    expect((await refused(put(rules))).code).toBe('MalformedXML')
    await put(rules.slice(1))
  })
})
