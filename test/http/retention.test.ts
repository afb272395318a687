// Object Lock as clients set it: configuration, retention and legal hold, on the embedded store (B100, B101).
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  type ObjectLockRetention,
  type ObjectLockRule,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOfRefusal, refused } from '../helpers/refused.ts'
import { type Fields, formBody, post, signForm } from '../helpers/signed-form.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { type EmbeddedGateway, startEmbedded } from '../helpers/worlds.ts'

const Bucket = 'locked'
const DAY = 86_400_000
/** Of the store, by which locks end. */
let ahead = 0
// Headers have whole seconds.
const now = Math.floor(Date.now() / 1_000) * 1_000
let gateway: EmbeddedGateway
let s3: S3Client
beforeAll(async () => {
  gateway = await startEmbedded({ now: () => Date.now() + ahead })
  s3 = gateway.client()
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  await s3.send(new CreateBucketCommand({ Bucket: 'unlocked' }))
})
afterAll(() => gateway.close())

const inDays = (days: number) => new Date(now + days * DAY)
const put = (Key: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
const retain = (Key: string, Retention: ObjectLockRetention, BypassGovernanceRetention?: boolean) =>
  s3.send(new PutObjectRetentionCommand({ Bucket, Key, Retention, BypassGovernanceRetention }))
const retention = async (Key: string) => (await s3.send(new GetObjectRetentionCommand({ Bucket, Key }))).Retention
const remove = (Key: string, VersionId: string | undefined, BypassGovernanceRetention?: boolean) =>
  s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId, BypassGovernanceRetention }))
const hold = (Key: string, Status: 'ON' | 'OFF') =>
  s3.send(new PutObjectLegalHoldCommand({ Bucket, Key, LegalHold: { Status } }))
const configure = (bucket: string, Rule?: ObjectLockRule) =>
  s3.send(
    new PutObjectLockConfigurationCommand({
      Bucket: bucket,
      ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', ...(Rule && { Rule }) },
    }),
  )
const configuration = async (bucket: string) =>
  (await s3.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }))).ObjectLockConfiguration

describe('the configuration of a bucket', () => {
  test('of one that was made with Object Lock', async () => {
    expect(await configuration(Bucket)).toEqual({ ObjectLockEnabled: 'Enabled' })
    const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } } as const
    await configure(Bucket, Rule)
    expect(await configuration(Bucket)).toEqual({ ObjectLockEnabled: 'Enabled', Rule })
    await configure(Bucket)
    expect(await configuration(Bucket)).toEqual({ ObjectLockEnabled: 'Enabled' })
  })

  test('B100 without versions it is InvalidBucketState; with versions it can be put, and never be taken back', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'later' }))
    expect(await refused(configure('later'))).toMatchObject({ code: 'InvalidBucketState', status: 409 })
    const versions = (Status: 'Enabled' | 'Suspended') =>
      s3.send(new PutBucketVersioningCommand({ Bucket: 'later', VersioningConfiguration: { Status } }))
    await versions('Enabled')
    await configure('later', { DefaultRetention: { Mode: 'COMPLIANCE', Years: 1 } })
    expect((await configuration('later'))?.Rule?.DefaultRetention).toEqual({ Mode: 'COMPLIANCE', Years: 1 })
    expect(await refused(versions('Suspended'))).toMatchObject({ code: 'InvalidBucketState', status: 409 })
  })

  test.each<readonly [object, string]>([
    [{ Mode: 'GOVERNANCE', Days: 1, Years: 1 }, 'MalformedXML'],
    [{ Mode: 'GOVERNANCE' }, 'MalformedXML'],
    [{ Mode: 'governance', Days: 1 }, 'MalformedXML'],
    [{ Days: 1 }, 'MalformedXML'],
    [{ Mode: 'GOVERNANCE', Days: 0 }, 'InvalidRetentionPeriod'],
    [{ Mode: 'GOVERNANCE', Years: -1 }, 'InvalidRetentionPeriod'],
  ])('B100 a default of %j is %s', async (DefaultRetention, code) => {
    expect(await refused(configure(Bucket, { DefaultRetention }))).toMatchObject({ code, status: 400 })
    expect(await configuration(Bucket)).toEqual({ ObjectLockEnabled: 'Enabled' })
  })
})

const DENIED = { code: 'AccessDenied', status: 403 }
const governance = (days: number): ObjectLockRetention => ({ Mode: 'GOVERNANCE', RetainUntilDate: inDays(days) })
const compliance = (days: number): ObjectLockRetention => ({ Mode: 'COMPLIANCE', RetainUntilDate: inDays(days) })

describe('retention', () => {
  test('is told by itself and with the object, can be prolonged, and ends with its date', async () => {
    const { VersionId } = await put('a')
    await retain('a', governance(1))
    await retain('a', governance(1))
    await retain('a', governance(2))
    expect(await retention('a')).toEqual(governance(2))
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }))
    expect([head.ObjectLockMode, head.ObjectLockRetainUntilDate]).toEqual(['GOVERNANCE', inDays(2)])
    expect(await refused(remove('a', VersionId))).toMatchObject(DENIED)
    ahead = 3 * DAY
    await remove('a', VersionId)
    ahead = 0
  })

  test.each([
    ['a shorter one', governance(1)],
    ['another mode', compliance(3)],
    ['none', {}],
  ])('B100 GOVERNANCE: %s needs the bypass', async (_, weaker) => {
    const { VersionId } = await put('g')
    await retain('g', governance(2))
    for (const bypass of [undefined, false]) expect(await refused(retain('g', weaker, bypass))).toMatchObject(DENIED)
    expect(await retention('g')).toEqual(governance(2))
    await retain('g', weaker, true)
    if (weaker.Mode === undefined) {
      expect(await refused(retention('g'))).toMatchObject({ code: 'NoSuchObjectLockConfiguration', status: 404 })
      await remove('g', VersionId)
    } else {
      expect(await retention('g')).toEqual(weaker)
      expect(await refused(remove('g', VersionId))).toMatchObject(DENIED)
    }
  })

  test.each([
    ['a shorter one', compliance(1)],
    ['another mode', governance(3)],
    ['none', {}],
  ])('B100 COMPLIANCE: %s is refused, whoever asks; a longer one is not', async (_, weaker) => {
    await put('c')
    await retain('c', compliance(2))
    for (const bypass of [false, true]) expect(await refused(retain('c', weaker, bypass))).toMatchObject(DENIED)
    expect(await retention('c')).toEqual(compliance(2))
    await retain('c', compliance(3))
    expect(await retention('c')).toEqual(compliance(3))
  })

  test('one that is over can be replaced or taken away by anybody', async () => {
    await put('over')
    const over = {
      'x-amz-object-lock-mode': 'COMPLIANCE',
      'x-amz-object-lock-retain-until-date': inDays(-1).toISOString(),
    }
    for (const next of [{}, governance(1)]) {
      await gateway.store.changeAttributes(Bucket, 'over', {}, () => over)
      expect(await retention('over')).toEqual(compliance(-1))
      await retain('over', next)
    }
    expect(await retention('over')).toEqual(governance(1))
  })

  test('of several at once the longest stays', async () => {
    await put('raced')
    const days = Array.from({ length: 8 }, (_, i) => i + 1)
    await Promise.allSettled(days.map((day) => retain('raced', compliance(day))))
    expect(await retention('raced')).toEqual(compliance(8))
  })

  test('a bypass that is neither true nor false is refused', async () => {
    await put('bypass')
    const headers = { 'x-amz-bypass-governance-retention': 'perhaps' }
    const body = Buffer.from('<Retention/>')
    const answer = await send(gateway, { method: 'PUT', path: `/${Bucket}/bypass?retention`, headers, body })
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidArgument'])
  })
})

test('a legal hold goes on and off, and keeps a version while it is on, whatever becomes of its retention', async () => {
  const { VersionId } = await put('h')
  const told = async () => (await s3.send(new GetObjectLegalHoldCommand({ Bucket, Key: 'h' }))).LegalHold?.Status
  await hold('h', 'ON')
  expect(await told()).toBe('ON')
  expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'h' }))).ObjectLockLegalHoldStatus).toBe('ON')
  await retain('h', governance(1))
  await retain('h', {}, true)
  expect(await refused(remove('h', VersionId, true))).toMatchObject(DENIED)
  await hold('h', 'OFF')
  expect(await told()).toBe('OFF')
  await remove('h', VersionId)
})

const retained = (mode: string, until: string) =>
  `<Retention><Mode>${mode}</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`
test.each([
  ['retention', '<Retention><Mode>GOVERNANCE</Mode></Retention>', 'MalformedXML'],
  ['retention', '<Retention><RetainUntilDate>2999-01-01T00:00:00Z</RetainUntilDate></Retention>', 'MalformedXML'],
  ['retention', retained('FOREVER', '2999-01-01T00:00:00Z'), 'MalformedXML'],
  ['retention', retained('GOVERNANCE', 'soon'), 'MalformedXML'],
  ['retention', retained('GOVERNANCE', '2999-01-01T00:00:00'), 'MalformedXML'],
  ['retention', retained('GOVERNANCE', '9999-12-31T23:59:59-14:00'), 'MalformedXML'],
  ['retention', retained('GOVERNANCE', '2001-01-01T00:00:00Z'), 'InvalidArgument'],
  ['retention', '', 'MalformedXML'],
  ['legal-hold', '<LegalHold><Status>on</Status></LegalHold>', 'MalformedXML'],
  ['legal-hold', '<LegalHold/>', 'MalformedXML'],
  ['legal-hold', '<Retention/>', 'MalformedXML'],
])('B100 ?%s with %j is %s and sets nothing', async (subresource, document, code) => {
  await put('odd')
  const path = `/${Bucket}/odd?${subresource}`
  const answer = await send(gateway, { method: 'PUT', path, body: Buffer.from(document) })
  expect([answer.status, codeOf(answer)]).toEqual([400, code])
  expect(await gateway.store.attributesOf(Bucket, 'odd', {})).toMatchObject({ attributes: {} })
})

interface At {
  readonly Bucket: string
  readonly Key: string
  readonly VersionId?: string | undefined
}
const readsOf = (at: At) => [
  () => s3.send(new GetObjectRetentionCommand(at)),
  () => s3.send(new GetObjectLegalHoldCommand(at)),
]
const operationsOn = (at: At) => [
  ...readsOf(at),
  () => s3.send(new PutObjectRetentionCommand({ ...at, Retention: governance(1) })),
  () => s3.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'ON' } })),
]

test('B101 what was never set is NoSuchObjectLockConfiguration; a bucket without Object Lock is InvalidRequest', async () => {
  await put('bare')
  for (const call of readsOf({ Bucket, Key: 'bare' })) {
    expect(await refused(call())).toMatchObject({ code: 'NoSuchObjectLockConfiguration', status: 404 })
  }
  await s3.send(new PutObjectCommand({ Bucket: 'unlocked', Key: 'k', Body: '' }))
  for (const Key of ['k', 'none']) {
    for (const call of operationsOn({ Bucket: 'unlocked', Key })) {
      expect(await refused(call())).toMatchObject({ code: 'InvalidRequest', status: 400 })
    }
  }
})

test('B93 bucket and key that are not there', async () => {
  for (const call of operationsOn({ Bucket: 'missing', Key: 'k' })) {
    expect(await refused(call())).toMatchObject({ code: 'NoSuchBucket', status: 404 })
  }
  for (const call of operationsOn({ Bucket, Key: 'none' })) {
    expect(await refused(call())).toMatchObject({ code: 'NoSuchKey', status: 404 })
  }
})

test('each version has its own; a delete marker has none (B51)', async () => {
  const old = await put('versions')
  await put('versions')
  const at = { Bucket, Key: 'versions', VersionId: old.VersionId }
  await s3.send(new PutObjectRetentionCommand({ ...at, Retention: governance(1) }))
  expect(await codeOfRefusal(retention('versions'))).toBe('NoSuchObjectLockConfiguration')
  expect((await s3.send(new GetObjectRetentionCommand(at))).Retention).toEqual(governance(1))
  const marker = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'versions' }))
  for (const VersionId of [undefined, marker.VersionId]) {
    for (const call of operationsOn({ ...at, VersionId })) {
      expect(await refused(call())).toMatchObject({ code: 'MethodNotAllowed', status: 405 })
    }
  }
})

test('B100 a PutObject of a locked version needs a digest of its body, in a bucket with a default retention too', async () => {
  const body = Buffer.from('x')
  const lock = { 'x-amz-object-lock-legal-hold': 'ON' }
  const crc = { 'x-amz-checksum-crc32': 'jNwWgw==' }
  const bare = (path: string, headers: Record<string, string>) => send(gateway, { method: 'PUT', path, body, headers })
  const answer = await bare(`/${Bucket}/digest`, lock)
  expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidRequest'])
  expect(answer.bytes.toString()).toContain('Content-MD5 OR x-amz-checksum-')
  expect(codeOf(await bare(`/${Bucket}/digest`, { ...lock, 'content-md5': 'nd1MGaPiIyQE9KpsSYb/Gw==' }))).toBe(
    'BadDigest',
  )
  expect((await bare(`/${Bucket}/digest`, { ...lock, ...crc })).status).toBe(200)
  expect((await bare(`/${Bucket}/digest`, {})).status).toBe(200)

  await s3.send(new CreateBucketCommand({ Bucket: 'by-default', ObjectLockEnabledForBucket: true }))
  await configure('by-default', { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } })
  expect(codeOf(await bare('/by-default/k', {}))).toBe('InvalidRequest')
  expect((await bare('/by-default/k', crc)).status).toBe(200)
})

test('B100 so does every part of an upload that will be locked; a part that is copied needs none', async () => {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key: 'parts', ObjectLockLegalHoldStatus: 'ON' }),
  )
  const part = (headers: Record<string, string>, body?: Buffer) =>
    send(gateway, {
      method: 'PUT',
      path: `/${Bucket}/parts?partNumber=1&uploadId=${UploadId}`,
      headers,
      ...(body && { body }),
    })
  const bare = await part({}, Buffer.from('x'))
  expect([bare.status, codeOf(bare)]).toEqual([400, 'InvalidRequest'])
  expect(bare.bytes.toString()).toContain('is required for Put Part requests with Object Lock parameters')
  expect((await part({ 'x-amz-checksum-crc32': 'jNwWgw==' }, Buffer.from('x'))).status).toBe(200)
  expect((await part({ 'content-md5': 'nd1MGaPiIyQE9KpsSYb/Gw==' }, Buffer.from('y'))).status).toBe(400)
  await put('source')
  expect((await part({ 'x-amz-copy-source': `/${Bucket}/source` })).status).toBe(200)
})

test('B100 B106 so does a form, which has fields for it', async () => {
  const upload = async (...fields: Fields) => {
    const all: Fields = [['x-amz-object-lock-legal-hold', 'ON'], ...fields]
    const conditions = ['key', ...all.map(([name]) => name)].map((name) => ['starts-with', `$${name}`, ''])
    const body = formBody([['key', 'form'], ...all, ...signForm({ bucket: Bucket, conditions })], 'x')
    const answer = await post(gateway, { path: `/${Bucket}`, body })
    return answer.status === 204 ? 'done' : codeOf(answer)
  }
  expect(await upload()).toBe('InvalidRequest')
  expect(await upload(['Content-MD5', 'nd1MGaPiIyQE9KpsSYb/Gw=='])).not.toBe('InvalidRequest')
  expect(await upload(['x-amz-checksum-crc32', 'jNwWgw=='])).toBe('done')
})
