// Configurations that nothing acts on yet: checked, kept, told, and never silently ignored.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketOwnershipControlsCommand,
  GetBucketAccelerateConfigurationCommand,
  GetBucketLoggingCommand,
  GetBucketNotificationConfigurationCommand,
  type NotificationConfiguration,
  PutBucketAccelerateConfigurationCommand,
  PutBucketAclCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketLoggingCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALLOW_ALL } from '../../src/access/credentials.ts'
import { LocalStore } from '../../src/backends/local.ts'
import { reportWaiting, waitingConfigurations } from '../../src/gateway/configuration/waiting.ts'
import { createAdminServer } from '../../src/http/admin-server.ts'
import { configurationWaits, type WaitingEvent } from '../../src/telemetry/channels.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOfRefusal } from '../helpers/refused.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

const Bucket = 'waiting'
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway()
  await gateway.client().send(new CreateBucketCommand({ Bucket }))
  await gateway.client().send(new CreateBucketCommand({ Bucket: 'with.dots' }))
  await gateway.client().send(new CreateBucketCommand({ Bucket: 'logs' }))
})
afterAll(() => gateway.close())

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:topic'
const QUEUE = 'arn:aws:sqs:us-east-1:123456789012:queue'
const accelerate = (Status: 'Enabled' | 'Suspended', bucket = Bucket) =>
  gateway
    .client()
    .send(new PutBucketAccelerateConfigurationCommand({ Bucket: bucket, AccelerateConfiguration: { Status } }))
const notify = (NotificationConfiguration: NotificationConfiguration) =>
  gateway.client().send(new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration }))
const log = (LoggingEnabled?: { TargetBucket: string; TargetPrefix: string }) =>
  gateway
    .client()
    .send(new PutBucketLoggingCommand({ Bucket, BucketLoggingStatus: LoggingEnabled ? { LoggingEnabled } : {} }))

describe('accelerate', () => {
  test('is kept and told', async () => {
    await accelerate('Suspended')
    const got = await gateway.client().send(new GetBucketAccelerateConfigurationCommand({ Bucket }))
    expect(got.Status).toBe('Suspended')
  })
  test('is refused for another word, and for a bucket with dots', async () => {
    expect(await codeOfRefusal(accelerate('On' as 'Enabled'))).toBe('MalformedXML')
    expect(await codeOfRefusal(accelerate('Enabled', 'with.dots'))).toBe('InvalidRequest')
  })
})

describe('logging', () => {
  test('is kept and told, and ends with an empty document', async () => {
    const wanted = { TargetBucket: 'logs', TargetPrefix: 'a/' }
    await log(wanted)
    const got = () => gateway.client().send(new GetBucketLoggingCommand({ Bucket }))
    expect((await got()).LoggingEnabled).toEqual(wanted)
    await log()
    expect((await got()).LoggingEnabled).toBeUndefined()
  })
  test('needs a target that is there', async () => {
    expect(await codeOfRefusal(log({ TargetBucket: 'missing', TargetPrefix: '' }))).toBe(
      'InvalidTargetBucketForLogging',
    )
  })
})

const replicationTo = (name: string): string =>
  `<ReplicationConfiguration><Role>arn:aws:iam::1:role/r</Role><Rule><Prefix/><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::${name}</Bucket></Destination></Rule></ReplicationConfiguration>`

describe('over a folder', () => {
  const OTHER = { accessKey: 'WRITER', secretKey: 'writer-secret-1' }
  let folder: string
  let limited: TestGateway
  const put = (query: string, document: string) =>
    send(limited, {
      method: 'PUT',
      path: `/mine?${query}`,
      body: Buffer.from(document),
      credentials: { accessKey: OTHER.accessKey, secret: OTHER.secretKey },
    })
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sealgate-waiting-'))
    limited = await startGateway({
      store: await LocalStore.open({ folder }),
      credentials: [
        { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, allow: ALLOW_ALL },
        { ...OTHER, allow: [{ buckets: ['mine', 'my-*'], prefixes: [], actions: 'read-write' }] },
      ],
    })
    for (const name of ['mine', 'my-logs', 'theirs']) {
      await limited.client().send(new CreateBucketCommand({ Bucket: name }))
      const VersioningConfiguration = { Status: 'Enabled' as const }
      await limited.client().send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration }))
    }
  })
  afterAll(async () => {
    await limited.close()
    await limited.store.close()
    rmSync(folder, { recursive: true })
  })

  test.each([
    [
      'logging',
      (name: string) =>
        `<BucketLoggingStatus><LoggingEnabled><TargetBucket>${name}</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>`,
    ],
    ['replication', replicationTo],
  ])(
    'another bucket is named by ?%s only by those who may write there, and others do not learn whether it exists',
    async (query, of) => {
      expect((await put(query, of('my-logs'))).status).toBe(200)
      for (const name of ['theirs', 'missing']) {
        const refused = await put(query, of(name))
        expect([refused.status, codeOf(refused)]).toEqual([403, 'AccessDenied'])
      }
      expect((await waitingConfigurations(limited.store)).map((one) => one.configuration)).toContain(query)
    },
  )

  test('changes that cross leave no configuration untold', async () => {
    const document = Buffer.from(
      '<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>',
    )
    const path = '/mine?lifecycle'
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        at % 2 === 0
          ? send(limited, { method: 'DELETE', path })
          : send(limited, { method: 'PUT', path, body: document }),
      ),
    )
    const kept = (await send(limited, { method: 'GET', path })).status === 200
    const told = (await waitingConfigurations(limited.store)).some((one) => one.configuration === 'lifecycle')
    expect(told).toBe(kept)
  })

  test('a bucket with a replication configuration keeps its versions', async () => {
    expect((await put('replication', replicationTo('my-logs'))).status).toBe(200)
    const suspend = () =>
      put('versioning', '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>')
    const refused = await suspend()
    expect([refused.status, codeOf(refused)]).toEqual([409, 'InvalidBucketState'])
    await send(limited, { method: 'DELETE', path: '/mine?replication' })
    expect((await suspend()).status).toBe(200)
  })
})

describe('notifications', () => {
  test('are kept and told, with an id for each', async () => {
    await notify({
      TopicConfigurations: [{ Id: 'mine', TopicArn: TOPIC, Events: ['s3:ObjectCreated:*'] }],
      QueueConfigurations: [
        {
          QueueArn: QUEUE,
          Events: ['s3:ObjectRemoved:Delete', 's3:ObjectTagging:Put'],
          Filter: {
            Key: {
              FilterRules: [
                { Name: 'prefix', Value: 'a/' },
                { Name: 'suffix', Value: '.jpg' },
              ],
            },
          },
        },
      ],
      EventBridgeConfiguration: {},
    })
    const got = await gateway.client().send(new GetBucketNotificationConfigurationCommand({ Bucket }))
    expect(got.TopicConfigurations).toEqual([{ Id: 'mine', TopicArn: TOPIC, Events: ['s3:ObjectCreated:*'] }])
    expect(got.QueueConfigurations?.[0]).toMatchObject({
      QueueArn: QUEUE,
      Filter: { Key: { FilterRules: [{ Value: 'a/' }, { Value: '.jpg' }] } },
    })
    expect(got.QueueConfigurations?.[0]?.Id?.length).toBeGreaterThan(16)
    expect(got.EventBridgeConfiguration).toEqual({})
  })

  const topic = (Value: string, Name: 'prefix' | 'suffix' = 'prefix') => ({
    TopicArn: TOPIC,
    Events: ['s3:ObjectCreated:Put' as const],
    Filter: { Key: { FilterRules: [{ Name, Value }] } },
  })

  test.each<readonly [string, NotificationConfiguration]>([
    [
      'an event that S3 does not have',
      { TopicConfigurations: [{ TopicArn: TOPIC, Events: ['s3:Everything' as 's3:ObjectCreated:*'] }] },
    ],
    ['a name that is no ARN', { TopicConfigurations: [{ TopicArn: 'topic', Events: ['s3:ObjectCreated:*'] }] }],
    ['the ARN of another service', { TopicConfigurations: [{ TopicArn: QUEUE, Events: ['s3:ObjectCreated:*'] }] }],
    ['two that overlap', { TopicConfigurations: [topic('a'), topic('ab')] }],
    [
      'a wildcard that overlaps',
      { TopicConfigurations: [topic('a'), { TopicArn: TOPIC, Events: ['s3:ObjectCreated:*'] }] },
    ],
    ['prefix and suffix, which overlap', { TopicConfigurations: [topic('a'), topic('b', 'suffix')] }],
    [
      'one id twice',
      {
        TopicConfigurations: [
          { Id: 'i', ...topic('a') },
          { Id: 'i', ...topic('b') },
        ],
      },
    ],
    ['a filter by something else', { TopicConfigurations: [topic('a', 'middle' as 'suffix')] }],
  ])('are refused for %s', async (_, configuration) => {
    expect(await codeOfRefusal(notify(configuration))).toBe('InvalidArgument')
  })

  test('may look at different places', async () => {
    await notify({ TopicConfigurations: [topic('a'), topic('b')] })
    await notify({})
    const got = await gateway.client().send(new GetBucketNotificationConfigurationCommand({ Bucket }))
    expect(got.TopicConfigurations).toBeUndefined()
  })
})

describe('what nothing acts on', () => {
  const heard: WaitingEvent[] = []
  const ready = async (failing = false) => {
    const admin = createAdminServer({
      dependencies: [],
      draining: () => false,
      waiting: () => (failing ? Promise.reject(new Error('the store is away')) : waitingConfigurations(gateway.store)),
      report: () => undefined,
      scrape: async () => ({ contentType: 'text/plain', text: '' }),
    })
    const answer = await admin.inject('/readyz')
    return { status: answer.statusCode, body: answer.json<unknown>() }
  }
  const during = async (change: () => Promise<unknown>): Promise<WaitingEvent[]> => {
    heard.length = 0
    const stop = configurationWaits.subscribe((event) => heard.push(event))
    await change()
    stop()
    return [...heard]
  }

  test('is told when it is put, and only if it asks for anything', async () => {
    const off = await during(async () => {
      await accelerate('Suspended')
      await log()
      await notify({})
    })
    expect(off).toEqual([])
    const on = await during(async () => {
      await accelerate('Enabled')
      await log({ TargetBucket: 'logs', TargetPrefix: '' })
      await notify({ EventBridgeConfiguration: {} })
      const s3 = gateway.client()
      const LifecycleConfiguration = {
        Rules: [{ Status: 'Enabled' as const, Filter: { Prefix: '' }, Expiration: { Days: 1 } }],
      }
      await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }))
      await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket: 'logs', LifecycleConfiguration }))
      await s3.send(new DeleteBucketOwnershipControlsCommand({ Bucket }))
      await s3.send(
        new PutBucketAclCommand({ Bucket, GrantRead: 'uri="http://acs.amazonaws.com/groups/s3/LogDelivery"' }),
      )
    })
    expect(on.map(({ configuration, bucket }) => `${configuration} ${bucket}`)).toEqual([
      'accelerate waiting',
      'logging waiting',
      'notification waiting',
      'lifecycle waiting',
      'lifecycle logs',
      'acl waiting',
    ])
  })

  test('is told again when the gateway starts, once for each kind', async () => {
    const told = await during(() => reportWaiting(gateway.store))
    expect(told.map(({ configuration, buckets }) => `${configuration} ${buckets}`)).toEqual([
      'accelerate 1',
      'acl 1',
      'lifecycle 2',
      'logging 1',
      'notification 1',
    ])
  })

  test('is a detail of GET /readyz, without names of buckets, and no reason not to be ready', async () => {
    const { status, body } = await ready()
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'ok',
      waiting: [{ configuration: 'accelerate', buckets: 1, more: false }, {}, {}, {}, {}],
    })
    expect(JSON.stringify(body)).not.toContain('"waiting"}')
    expect(JSON.stringify(body)).not.toContain('first')
    expect((await ready(true)).status).toBe(200)
  })

  test('is forgotten with a DELETE, with a configuration that asks for nothing, and with its bucket', async () => {
    const s3 = gateway.client()
    await s3.send(new DeleteBucketLifecycleCommand({ Bucket }))
    await accelerate('Suspended')
    await s3.send(new DeleteBucketCommand({ Bucket: 'logs' }))
    expect((await waitingConfigurations(gateway.store)).map(({ configuration }) => configuration)).toEqual([
      'acl',
      'logging',
      'notification',
    ])
  })

  test('is counted up to a hundred', async () => {
    for (let index = 0; index < 101; index += 1) {
      await gateway.store.createBucket(`many-${index}`)
      await gateway.gateway.documents.write(`many-${index}`, 'lifecycle', Buffer.alloc(0), { waits: true })
    }
    const found = (await waitingConfigurations(gateway.store)).find((one) => one.configuration === 'lifecycle')
    expect(found).toMatchObject({ buckets: 100, more: true })
  })
})
