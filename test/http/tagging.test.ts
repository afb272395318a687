// Tags of objects on the embedded store: given with an object, changed behind its back, counted by reads (B69).
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  DeletePublicAccessBlockCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
  type Tag,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGateway } from '../helpers/gateway.ts'
import { codeOfRefusal, refused } from '../helpers/refused.ts'
import { type Fields, formBody, post, signForm } from '../helpers/signed-form.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { type EmbeddedGateway, startEmbedded } from '../helpers/worlds.ts'

const Bucket = 'tagged'
let gateway: EmbeddedGateway
let s3: S3Client
beforeAll(async () => {
  gateway = await startEmbedded()
  s3 = gateway.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => gateway.close())

const put = (Key: string, Tagging?: string) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'body', Tagging }))
const tag = (Key: string, TagSet: Tag[]) => s3.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet } }))
const untag = (Key: string) => s3.send(new DeleteObjectTaggingCommand({ Bucket, Key }))
const tags = async (Key: string) => (await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))).TagSet
const count = async (Key: string) => (await s3.send(new HeadObjectCommand({ Bucket, Key }))).TagCount

test('B69 tags of the header are told as a document, whatever script they are in', async () => {
  await put('given', '&a=b+c&%E5%90%8D=%C3%A9%2F1&&empty&')
  expect(await tags('given')).toEqual([
    { Key: 'a', Value: 'b c' },
    { Key: '名', Value: 'é/1' },
    { Key: 'empty', Value: '' },
  ])
  await put('bare', '&&')
  expect([await tags('bare'), await count('bare')]).toEqual([[], undefined])
})

test('B69 PutObjectTagging replaces all tags and nothing else; DeleteObjectTagging removes them', async () => {
  await put('changed', 'old=1')
  const before = await s3.send(new HeadObjectCommand({ Bucket, Key: 'changed' }))
  const set = [
    { Key: 'é + ü', Value: '' },
    { Key: 'b', Value: '+ - = . _ : / @' },
  ]
  const answer = await tag('changed', set)
  expect([answer.$metadata.httpStatusCode, answer.VersionId]).toEqual([200, undefined])
  expect([await tags('changed'), await count('changed')]).toEqual([set, 2])
  const after = await s3.send(new GetObjectCommand({ Bucket, Key: 'changed' }))
  expect([after.TagCount, after.ETag, after.LastModified]).toEqual([2, before.ETag, before.LastModified])
  expect(await after.Body?.transformToString()).toBe('body')
  expect((await untag('changed')).$metadata.httpStatusCode).toBe(204)
  expect([await tags('changed'), await count('changed')]).toEqual([[], undefined])
  await untag('changed')
  await tag('changed', [])
  expect(await tags('changed')).toEqual([])
})

test('B69 the largest set is ten tags of 128 and 256 characters', async () => {
  await put('largest')
  const set = Array.from({ length: 10 }, (_, i) => ({ Key: `${i}`.padEnd(128, '名'), Value: '値'.repeat(256) }))
  await tag('largest', set)
  expect([await tags('largest'), await count('largest')]).toEqual([set, 10])
  await s3.send(new CopyObjectCommand({ Bucket, Key: 'largest-copy', CopySource: `${Bucket}/largest` }))
  expect(await tags('largest-copy')).toEqual(set)
})

const eleven = Array.from({ length: 11 }, (_, i) => ({ Key: `k${i}`, Value: 'v' }))
const twice = ['1', '2'].map((Value) => ({ Key: 'a', Value }))
test.each([
  ['a key of 129 characters', [{ Key: 'k'.repeat(129), Value: '' }], 'InvalidTag', 'InvalidTag'],
  ['a value of 257 characters', [{ Key: 'k', Value: 'v'.repeat(257) }], 'InvalidTag', 'InvalidTag'],
  ['a sign that tags do not have', [{ Key: 'a;b', Value: '' }], 'InvalidTag', 'InvalidTag'],
  ['a tag of the system', [{ Key: 'aws:mine', Value: '' }], 'InvalidTag', 'InvalidTag'],
  ['the eleventh tag', eleven, 'BadRequest', 'BadRequest'],
  // Of a query without a name, or with one twice, S3 says that it is no proper header.
  ['an empty key', [{ Key: '', Value: 'x' }], 'InvalidTag', 'InvalidArgument'],
  ['a key that is there twice', twice, 'InvalidTag', 'InvalidArgument'],
])('B69 %s is refused in document and header, and changes nothing', async (_, set, inDocument, inHeader) => {
  await put('kept', 'old=1')
  expect(await refused(tag('kept', set))).toMatchObject({ code: inDocument, status: 400 })
  const header = set.map(({ Key, Value }) => `${encodeURIComponent(Key)}=${encodeURIComponent(Value)}`).join('&')
  expect(await refused(put('kept', header))).toMatchObject({ code: inHeader, status: 400 })
  const replace = { TaggingDirective: 'REPLACE', Tagging: header } as const
  const copy = new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/kept`, ...replace })
  expect(await refused(s3.send(copy))).toMatchObject({ code: inHeader, status: 400 })
  expect(await tags('kept')).toEqual([{ Key: 'old', Value: '1' }])
  expect(await gateway.store.head(Bucket, 'copied')).toBeUndefined()
})

test('B106 the fields of a form are checked as headers are', async () => {
  const forms = { Bucket: 'forms', Key: 'k' }
  await s3.send(new CreateBucketCommand({ Bucket: forms.Bucket, ObjectOwnership: 'ObjectWriter' }))
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket: forms.Bucket }))
  const upload = async (key: string, ...fields: Fields) => {
    const conditions = ['key', ...fields.map(([name]) => name)].map((name) => ['starts-with', `$${name}`, ''])
    const signed = signForm({ bucket: forms.Bucket, conditions })
    const body = formBody([['key', key], ...fields, ...signed], 'x')
    const answer = await post(gateway, { path: `/${forms.Bucket}`, body })
    return answer.status < 300 ? answer.status : codeOf(answer)
  }
  const document = (...keys: string[]) =>
    `<Tagging><TagSet>${keys.map((key) => `<Tag><Key>${key}</Key><Value>é 1</Value></Tag>`).join('')}</TagSet></Tagging>`
  expect(await upload('k', ['tagging', document('名', 'b')], ['acl', 'public-read'])).toBe(204)
  expect((await s3.send(new GetObjectTaggingCommand(forms))).TagSet).toEqual([
    { Key: '名', Value: 'é 1' },
    { Key: 'b', Value: 'é 1' },
  ])
  expect((await s3.send(new GetObjectAclCommand(forms))).Grants).toHaveLength(2)
  expect(await upload('odd', ['tagging', document('a', 'a')])).toBe('InvalidArgument')
  expect(await upload('odd', ['tagging', document(...eleven.map(({ Key }) => Key))])).toBe('BadRequest')
  expect(await upload('odd', ['tagging', '<TagSet/>'])).toBe('MalformedXML')
  expect(await upload('odd', ['acl', 'everyone'])).toBe('InvalidArgument')
  expect(await gateway.store.head(forms.Bucket, 'odd')).toBeUndefined()
})

test('B68 a copy has the tags that its source has now, or those of the request', async () => {
  await put('source', 'old=1')
  await tag('source', [{ Key: 'new', Value: '2' }])
  const copy = (Key: string, more: object) =>
    s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/source`, ...more }))
  await copy('from-source', {})
  await copy('replaced', { TaggingDirective: 'REPLACE', Tagging: 'x=y' })
  expect(await tags('from-source')).toEqual([{ Key: 'new', Value: '2' }])
  expect(await tags('replaced')).toEqual([{ Key: 'x', Value: 'y' }])
})

test('B93 what is missing is told as such, the bucket before the document', async () => {
  for (const call of [tags, untag, (Key: string) => tag(Key, [])]) {
    expect(await refused(call('none'))).toMatchObject({ code: 'NoSuchKey', status: 404 })
  }
  const nowhere = { Bucket: 'no-such-bucket', Key: 'k' }
  for (const call of [
    () => s3.send(new GetObjectTaggingCommand(nowhere)),
    () => s3.send(new PutObjectTaggingCommand({ ...nowhere, Tagging: { TagSet: [{ Key: '', Value: '' }] } })),
    () => s3.send(new DeleteObjectTaggingCommand(nowhere)),
  ]) {
    expect(await refused(call())).toMatchObject({ code: 'NoSuchBucket', status: 404 })
  }
})

test('each version has its own tags; a delete marker has none (B51)', async () => {
  const object = { Bucket: 'versions', Key: 'k' }
  await s3.send(new CreateBucketCommand({ Bucket: object.Bucket }))
  await s3.send(
    new PutBucketVersioningCommand({ Bucket: object.Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
  )
  const old = await s3.send(new PutObjectCommand({ ...object, Body: '1', Tagging: 'v=1' }))
  const now = await s3.send(new PutObjectCommand({ ...object, Body: '2', Tagging: 'v=2' }))
  const of = async (VersionId?: string) => {
    const answer = await s3.send(new GetObjectTaggingCommand({ ...object, VersionId }))
    return [answer.VersionId, answer.TagSet?.[0]?.Value]
  }
  const Tagging = { TagSet: [{ Key: 'v', Value: 'changed' }] }
  const changed = await s3.send(new PutObjectTaggingCommand({ ...object, VersionId: old.VersionId, Tagging }))
  expect(changed.VersionId).toBe(old.VersionId)
  expect(await of(old.VersionId)).toEqual([old.VersionId, 'changed'])
  expect(await of()).toEqual([now.VersionId, '2'])

  const marker = await s3.send(new DeleteObjectCommand(object))
  for (const VersionId of [undefined, marker.VersionId]) {
    const one = { ...object, VersionId }
    for (const call of [
      () => s3.send(new GetObjectTaggingCommand(one)),
      () => s3.send(new PutObjectTaggingCommand({ ...one, Tagging })),
      () => s3.send(new DeleteObjectTaggingCommand(one)),
    ]) {
      expect(await refused(call())).toMatchObject({ code: 'MethodNotAllowed', status: 405 })
    }
  }
  const removed = await s3.send(new DeleteObjectTaggingCommand({ ...object, VersionId: now.VersionId }))
  expect(removed.VersionId).toBe(now.VersionId)
  expect(await of(now.VersionId)).toEqual([now.VersionId, undefined])
  expect(await refused(of('0'.repeat(32)))).toMatchObject({ code: 'NoSuchVersion', status: 404 })
  for (const method of ['GET', 'DELETE']) {
    const path = `/${object.Bucket}/k?tagging&versionId=${'0'.repeat(32)}`
    const { bytes } = await send(gateway, { method, path })
    expect(bytes.toString()).toContain(`<Key>k</Key><VersionId>${'0'.repeat(32)}</VersionId>`)
  }
  expect(await refused(of('nonsense'))).toMatchObject({ code: 'InvalidArgument', status: 400 })
})

test('a store that keeps nothing beside contents says so', async () => {
  const plain = await startGateway()
  const client = plain.client()
  const object = { Bucket, Key: 'k' }
  await client.send(new CreateBucketCommand({ Bucket }))
  await client.send(new PutObjectCommand({ ...object, Body: '' }))
  for (const call of [
    () => client.send(new GetObjectTaggingCommand(object)),
    () => client.send(new PutObjectTaggingCommand({ ...object, Tagging: { TagSet: [] } })),
    () => client.send(new DeleteObjectTaggingCommand(object)),
  ]) {
    expect(await codeOfRefusal(call())).toBe('NotImplemented')
  }
  await plain.close()
})
