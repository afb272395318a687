// ACLs of objects on the embedded store: kept and told within what the bucket allows, never a reason to let anybody in (B71).
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeletePublicAccessBlockCommand,
  GetObjectAclCommand,
  type Grant,
  HeadObjectCommand,
  type ObjectCannedACL,
  PutBucketOwnershipControlsCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  type PutObjectAclCommandInput,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGateway } from '../helpers/gateway.ts'
import { codeOfRefusal, refused } from '../helpers/refused.ts'
import { type EmbeddedGateway, startEmbedded } from '../helpers/worlds.ts'

const OWNER = 'ab'.repeat(32)
const FULL = `${OWNER} FULL_CONTROL`
const ALL = 'http://acs.amazonaws.com/groups/global/AllUsers'
const LOGS = 'http://acs.amazonaws.com/groups/s3/LogDelivery'

let gateway: EmbeddedGateway
let s3: S3Client
beforeAll(async () => {
  gateway = await startEmbedded()
  s3 = gateway.client()
  await s3.send(new CreateBucketCommand({ Bucket: 'open', ObjectOwnership: 'ObjectWriter' }))
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket: 'open' }))
  await s3.send(new CreateBucketCommand({ Bucket: 'blocked', ObjectOwnership: 'BucketOwnerPreferred' }))
  await s3.send(new CreateBucketCommand({ Bucket: 'enforced' }))
})
afterAll(() => gateway.close())

const put = (Key: string, more: Partial<PutObjectCommandInput> = {}, Bucket = 'open') =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body: 'body', ...more }))
const grant = (Key: string, more: Partial<PutObjectAclCommandInput>, Bucket = 'open') =>
  s3.send(new PutObjectAclCommand({ Bucket, Key, ...more }))
const get = async (Key: string, Bucket = 'open', VersionId?: string) =>
  (await s3.send(new GetObjectAclCommand({ Bucket, Key, VersionId }))).Grants?.map(
    ({ Grantee, Permission }) => `${Grantee?.URI ?? Grantee?.ID} ${Permission}`,
  )

test.each<readonly [ObjectCannedACL, readonly string[]]>([
  ['private', []],
  ['bucket-owner-full-control', []],
  ['bucket-owner-read', []],
  ['authenticated-read', ['http://acs.amazonaws.com/groups/global/AuthenticatedUsers READ']],
  ['public-read', [`${ALL} READ`]],
  ['public-read-write', [`${ALL} READ`, `${ALL} WRITE`]],
])('%s is kept and told, given with the object or later', async (ACL, others) => {
  await put('with', { ACL })
  expect(await get('with')).toEqual([FULL, ...others])
  await put('later', { ACL: 'public-read', Tagging: 'a=b' })
  await grant('later', { ACL })
  expect(await get('later')).toEqual([FULL, ...others])
  expect((await s3.send(new HeadObjectCommand({ Bucket: 'open', Key: 'later' }))).TagCount).toBe(1)
})

test('an object that was given none belongs to its owner, also where an older one had one', async () => {
  await put('anew', { ACL: 'public-read' })
  await put('anew')
  const { Owner } = await s3.send(new GetObjectAclCommand({ Bucket: 'open', Key: 'anew' }))
  expect([Owner?.ID, await get('anew')]).toEqual([OWNER, [FULL]])
})

test('grants in headers and in a document', async () => {
  await put('granted', { GrantRead: `uri="${ALL}"`, GrantReadACP: `id=${OWNER}` })
  expect(await get('granted')).toEqual([`${ALL} READ`, `${OWNER} READ_ACP`])
  const Grants: Grant[] = [{ Grantee: { Type: 'Group', URI: LOGS }, Permission: 'READ_ACP' }]
  await grant('granted', { AccessControlPolicy: { Owner: { ID: OWNER }, Grants } })
  expect(await get('granted')).toEqual([`${LOGS} READ_ACP`])
  await grant('granted', { AccessControlPolicy: { Owner: { ID: OWNER }, Grants: [] } })
  expect(await get('granted')).toEqual([])
})

test('nobody is let in because of an ACL', async () => {
  await put('public', { ACL: 'public-read' })
  expect((await fetch(`${gateway.endpoint}/open/public`)).status).toBe(403)
})

test('B68 B81 a copy has the ACL of its request, never that of its source; an upload that of its creation', async () => {
  await put('source', { ACL: 'public-read' })
  const copy = { Bucket: 'open', CopySource: 'open/source' }
  await s3.send(new CopyObjectCommand({ ...copy, Key: 'copied' }))
  expect(await get('copied')).toEqual([FULL])
  await s3.send(new CopyObjectCommand({ ...copy, Key: 'asked', ACL: 'public-read' }))
  expect(await get('asked')).toEqual([FULL, `${ALL} READ`])

  const object = { Bucket: 'open', Key: 'parts' }
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...object, ACL: 'public-read' }))
  const { ETag } = await s3.send(new UploadPartCommand({ ...object, UploadId, PartNumber: 1, Body: 'x' }))
  const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] }
  await s3.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload }))
  expect(await get('parts')).toEqual([FULL, `${ALL} READ`])
})

const NONE = { code: 'AccessControlListNotSupported', status: 400 }

test('B71 a bucket without ACLs takes objects with what gives all to the owner alone, and changes no ACL', async () => {
  const into = (more: Partial<PutObjectCommandInput>) => put('k', more, 'enforced')
  for (const ACL of ['private', 'bucket-owner-full-control'] as const) await into({ ACL })
  await into({ GrantFullControl: `id="${OWNER}"` })
  expect(await refused(into({ ACL: 'public-read' }))).toMatchObject(NONE)
  expect(await refused(into({ GrantRead: `uri="${ALL}"` }))).toMatchObject(NONE)
  expect(await refused(into({ GrantRead: `id="${OWNER}"` }))).toMatchObject(NONE)
  for (const ACL of ['private', 'bucket-owner-full-control'] as const) {
    expect(await refused(grant('k', { ACL }, 'enforced'))).toMatchObject(NONE)
  }
  expect(await get('k', 'enforced')).toEqual([FULL])
})

test('an ACL of earlier days counts for nothing once the bucket has none', async () => {
  await s3.send(new CreateBucketCommand({ Bucket: 'turned', ObjectOwnership: 'ObjectWriter' }))
  await put('k', { GrantRead: `uri="${LOGS}"` }, 'turned')
  expect(await get('k', 'turned')).toEqual([`${LOGS} READ`])
  const OwnershipControls = { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' as const }] }
  await s3.send(new PutBucketOwnershipControlsCommand({ Bucket: 'turned', OwnershipControls }))
  expect(await get('k', 'turned')).toEqual([FULL])
})

test('B104 a bucket that blocks public ACLs refuses them', async () => {
  expect(await refused(put('k', { ACL: 'public-read' }, 'blocked'))).toMatchObject({
    code: 'AccessDenied',
    status: 403,
  })
  await put('k', { GrantRead: `uri="${LOGS}"` }, 'blocked')
  expect(await codeOfRefusal(grant('k', { ACL: 'authenticated-read' }, 'blocked'))).toBe('AccessDenied')
  expect(await get('k', 'blocked')).toEqual([`${LOGS} READ`])
})

test.each([
  ['B71 a canned ACL that S3 does not have', { ACL: 'everyone' as ObjectCannedACL }, 'InvalidArgument'],
  ['B71 a canned ACL of buckets', { ACL: 'log-delivery-write' as ObjectCannedACL }, 'InvalidArgument'],
  ['B71 a canned ACL and grants', { ACL: 'private', GrantRead: `uri="${ALL}"` }, 'InvalidRequest'],
  ['a header that is no grant', { GrantRead: 'everybody' }, 'InvalidArgument'],
  ['an account that is not there', { GrantRead: `id="${'cd'.repeat(32)}"` }, 'InvalidArgument'],
  ['an account by its address', { GrantRead: 'emailAddress=a@b' }, 'UnresolvableGrantByEmailAddress'],
  ['a grant to EC2', { ACL: 'aws-exec-read' }, 'NotImplemented'],
] as const)('%s is refused and changes nothing', async (_, acl, code) => {
  await put('refused', { ACL: 'public-read' })
  const create = { Bucket: 'open', Key: 'refused', ...acl }
  for (const call of [
    () => put('refused', acl),
    () => grant('refused', acl),
    () => s3.send(new CreateMultipartUploadCommand(create)),
    () => s3.send(new CopyObjectCommand({ ...create, CopySource: 'open/source' })),
  ]) {
    expect(await codeOfRefusal(call())).toBe(code)
  }
  expect(await get('refused')).toEqual([FULL, `${ALL} READ`])
})

test('each version has its own; a delete marker has none (B51)', async () => {
  const object = { Bucket: 'versions', Key: 'k' }
  await s3.send(new CreateBucketCommand({ Bucket: object.Bucket, ObjectOwnership: 'ObjectWriter' }))
  await s3.send(new DeletePublicAccessBlockCommand({ Bucket: object.Bucket }))
  await s3.send(
    new PutBucketVersioningCommand({ Bucket: object.Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
  )
  const old = await put('k', { ACL: 'public-read' }, object.Bucket)
  await put('k', {}, object.Bucket)
  expect(await get('k', object.Bucket)).toEqual([FULL])
  expect(await get('k', object.Bucket, old.VersionId)).toEqual([FULL, `${ALL} READ`])
  await grant('k', { ACL: 'private', VersionId: old.VersionId }, object.Bucket)
  expect(await get('k', object.Bucket, old.VersionId)).toEqual([FULL])
  const marker = await s3.send(new DeleteObjectCommand(object))
  for (const VersionId of [undefined, marker.VersionId]) {
    const marked = { code: 'MethodNotAllowed', status: 405 }
    expect(await refused(get('k', object.Bucket, VersionId))).toMatchObject(marked)
    expect(await refused(grant('k', { ACL: 'private', VersionId }, object.Bucket))).toMatchObject(marked)
  }
})

test('B93 what is missing is told as such', async () => {
  expect(await codeOfRefusal(grant('none', { ACL: 'private' }))).toBe('NoSuchKey')
  expect(await codeOfRefusal(get('none'))).toBe('NoSuchKey')
  expect(await codeOfRefusal(get('k', 'missing'))).toBe('NoSuchBucket')
  expect(await codeOfRefusal(grant('k', {}, 'missing'))).toBe('NoSuchBucket')
  await put('without')
  expect(await codeOfRefusal(grant('without', {}))).toBe('MissingSecurityHeader')
})

test('a store that keeps no ACLs of objects refuses those that say anything', async () => {
  const plain = await startGateway()
  const client = plain.client()
  const object = { Bucket: 'plain', Key: 'k' }
  await client.send(new CreateBucketCommand({ Bucket: 'plain', ObjectOwnership: 'ObjectWriter' }))
  const into = (ACL: ObjectCannedACL) => client.send(new PutObjectCommand({ ...object, Body: '', ACL }))
  await into('private')
  expect(await codeOfRefusal(into('public-read'))).toBe('NotImplemented')
  expect(await codeOfRefusal(client.send(new GetObjectAclCommand(object)))).toBe('NotImplemented')
  expect(await codeOfRefusal(client.send(new PutObjectAclCommand({ ...object, ACL: 'private' })))).toBe(
    'NotImplemented',
  )
  await plain.close()
})
