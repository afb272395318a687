// ACLs of buckets, and what decides about them: ownership controls and the public access block.
import {
  type BucketCannedACL,
  CreateBucketCommand,
  DeleteBucketOwnershipControlsCommand,
  DeletePublicAccessBlockCommand,
  GetBucketAclCommand,
  GetBucketOwnershipControlsCommand,
  GetPublicAccessBlockCommand,
  type Grant,
  type ObjectOwnership,
  PutBucketAclCommand,
  type PutBucketAclCommandInput,
  PutBucketOwnershipControlsCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOfRefusal, refused } from '../helpers/refused.ts'

const OWNER = 'ab'.repeat(32)
const ALL = 'http://acs.amazonaws.com/groups/global/AllUsers'
// The SDK does not know this one.
const LOG_DELIVERY = 'log-delivery-write' as BucketCannedACL
const LOGS = 'http://acs.amazonaws.com/groups/s3/LogDelivery'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway()
  await make('open', 'ObjectWriter')
  await gateway.client().send(new DeletePublicAccessBlockCommand({ Bucket: 'open' }))
  await make('blocked', 'BucketOwnerPreferred')
  await make('enforced')
})
afterAll(() => gateway.close())

const make = (Bucket: string, ObjectOwnership?: ObjectOwnership) =>
  gateway.client().send(new CreateBucketCommand({ Bucket, ...(ObjectOwnership && { ObjectOwnership }) }))
const put = (more: Omit<PutBucketAclCommandInput, 'Bucket'>, Bucket = 'open') =>
  gateway.client().send(new PutBucketAclCommand({ Bucket, ...more }))
const shown = (grants: readonly Grant[] | undefined): string[] =>
  (grants ?? []).map(({ Grantee, Permission }) => `${Grantee?.URI ?? Grantee?.ID} ${Permission}`)
const get = async (Bucket = 'open') => shown((await gateway.client().send(new GetBucketAclCommand({ Bucket }))).Grants)

describe('canned ACLs and grants', () => {
  test.each([
    ['private', []],
    ['public-read', [`${ALL} READ`]],
    ['public-read-write', [`${ALL} READ`, `${ALL} WRITE`]],
    ['authenticated-read', ['http://acs.amazonaws.com/groups/global/AuthenticatedUsers READ']],
  ] as const)('%s is kept and told', async (ACL, others) => {
    await put({ ACL })
    expect(await get()).toEqual([`${OWNER} FULL_CONTROL`, ...others])
  })

  test('grants in headers stand alone', async () => {
    await put({ GrantRead: `uri="${ALL}"`, GrantWriteACP: `id=${OWNER}, uri=${LOGS}` })
    expect(await get()).toEqual([`${ALL} READ`, `${OWNER} WRITE_ACP`, `${LOGS} WRITE_ACP`])
  })

  test('a document is kept and told, with the kind of each grantee', async () => {
    const Grants: Grant[] = [
      { Grantee: { Type: 'CanonicalUser', ID: OWNER }, Permission: 'READ' },
      { Grantee: { Type: 'Group', URI: ALL }, Permission: 'READ_ACP' },
    ]
    await put({ AccessControlPolicy: { Owner: { ID: OWNER }, Grants } })
    const { Owner, Grants: kept } = await gateway.client().send(new GetBucketAclCommand({ Bucket: 'open' }))
    expect(Owner?.ID).toBe(OWNER)
    expect(kept?.map(({ Grantee }) => Grantee?.Type)).toEqual(['CanonicalUser', 'Group'])
    expect(shown(kept)).toEqual([`${OWNER} READ`, `${ALL} READ_ACP`])
  })

  test('the owner may take everything from itself, in the document', async () => {
    await put({ AccessControlPolicy: { Owner: { ID: OWNER }, Grants: [] } })
    expect(await get()).toEqual([])
  })

  test.each<readonly [string, Omit<PutBucketAclCommandInput, 'Bucket'>, string]>([
    ['B71 a canned ACL that S3 does not have', { ACL: 'everyone' as 'private' }, 'InvalidArgument'],
    ['B71 a canned ACL and grants', { ACL: 'private', GrantRead: `uri="${ALL}"` }, 'InvalidRequest'],
    ['a header that is no grant', { GrantRead: 'everybody' }, 'InvalidArgument'],
    ['a group that S3 does not have', { GrantRead: 'uri="http://example.com/"' }, 'InvalidArgument'],
    ['an account that is not there', { GrantRead: `id="${'cd'.repeat(32)}"` }, 'InvalidArgument'],
    ['an address', { GrantRead: 'emailAddress="a@example.com"' }, 'UnresolvableGrantByEmailAddress'],
    ['no ACL at all', {}, 'MissingSecurityHeader'],
    ['another owner', { AccessControlPolicy: { Owner: { ID: 'cd'.repeat(32) }, Grants: [] } }, 'AccessDenied'],
    [
      'a permission that is none',
      {
        AccessControlPolicy: {
          Owner: { ID: OWNER },
          Grants: [{ Grantee: { Type: 'Group', URI: ALL }, Permission: 'SOME' as 'READ' }],
        },
      },
      'MalformedACLError',
    ],
    ['headers and a document', { ACL: 'private', AccessControlPolicy: { Grants: [] } }, 'UnexpectedContent'],
  ])('%s is refused and changes nothing', async (_, more, code) => {
    const before = await get()
    expect(await codeOfRefusal(put(more))).toBe(code)
    expect(await get()).toEqual(before)
  })
})

describe('ownership controls', () => {
  const ownership = async (Bucket: string) =>
    (await gateway.client().send(new GetBucketOwnershipControlsCommand({ Bucket }))).OwnershipControls?.Rules
  const own = (Bucket: string, ObjectOwnership: ObjectOwnership) =>
    gateway
      .client()
      .send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls: { Rules: [{ ObjectOwnership }] } }))

  test('B71 a new bucket has no ACLs: putting one is refused, reading shows the owner', async () => {
    expect(await ownership('enforced')).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
    expect(await refused(put({ ACL: 'public-read' }, 'enforced'))).toMatchObject({
      code: 'AccessControlListNotSupported',
      status: 400,
    })
    expect(await get('enforced')).toEqual([`${OWNER} FULL_CONTROL`])
  })

  test('without the configuration a bucket has ACLs', async () => {
    await make('without')
    await gateway.client().send(new DeleteBucketOwnershipControlsCommand({ Bucket: 'without' }))
    await put({ ACL: LOG_DELIVERY }, 'without')
    expect(await get('without')).toEqual([`${OWNER} FULL_CONTROL`, `${LOGS} WRITE`, `${LOGS} READ_ACP`])
  })

  test('cannot take ACLs away while others are granted something', async () => {
    await make('granted', 'ObjectWriter')
    await put({ ACL: LOG_DELIVERY }, 'granted')
    expect(await codeOfRefusal(own('granted', 'BucketOwnerEnforced'))).toBe('InvalidBucketAclWithObjectOwnership')
    await put({ ACL: 'private' }, 'granted')
    await own('granted', 'BucketOwnerEnforced')
    expect(await ownership('granted')).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
  })

  test('a word that S3 does not have is refused, in the document and in the header', async () => {
    expect(await codeOfRefusal(own('open', 'Nobody' as 'ObjectWriter'))).toBe('MalformedXML')
    expect(await codeOfRefusal(make('never', 'Nobody' as 'ObjectWriter'))).toBe('InvalidArgument')
  })

  test('a new bucket is refused an ACL that it could not have', async () => {
    const create = (more: { readonly ObjectOwnership?: ObjectOwnership }) =>
      gateway.client().send(new CreateBucketCommand({ Bucket: 'never', ACL: 'public-read', ...more }))
    expect(await codeOfRefusal(create({}))).toBe('InvalidBucketAclWithObjectOwnership')
    expect(await codeOfRefusal(create({ ObjectOwnership: 'ObjectWriter' }))).toBe(
      'InvalidBucketAclWithBlockPublicAccessError',
    )
    expect(await gateway.store.headBucket('never')).toBeUndefined()
    await gateway.client().send(new CreateBucketCommand({ Bucket: 'private', ACL: 'private' }))
  })

  test('B95 a bucket that is made again takes no ACL that it could not be given', async () => {
    const again = new CreateBucketCommand({ Bucket: 'enforced', ObjectOwnership: 'ObjectWriter', ACL: LOG_DELIVERY })
    expect(await codeOfRefusal(gateway.client().send(again))).toBe('AccessControlListNotSupported')
    expect(await get('enforced')).toEqual([`${OWNER} FULL_CONTROL`])
  })

  test('B95 a bucket that is made again in us-east-1 has its ACL reset', async () => {
    await make('again', 'ObjectWriter')
    await put({ GrantRead: `uri="${LOGS}"` }, 'again')
    await make('again', 'ObjectWriter')
    expect(await get('again')).toEqual([`${OWNER} FULL_CONTROL`])
  })
})

describe('the public access block', () => {
  test('of a new bucket blocks everything', async () => {
    const { PublicAccessBlockConfiguration } = await gateway
      .client()
      .send(new GetPublicAccessBlockCommand({ Bucket: 'blocked' }))
    expect(PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      IgnorePublicAcls: true,
      BlockPublicPolicy: true,
      RestrictPublicBuckets: true,
    })
  })

  test('B104 refuses public ACLs, and nothing else', async () => {
    expect(await refused(put({ ACL: 'public-read' }, 'blocked'))).toMatchObject({ code: 'AccessDenied', status: 403 })
    expect(await codeOfRefusal(put({ GrantRead: `uri="${ALL}"` }, 'blocked'))).toBe('AccessDenied')
    await put({ ACL: LOG_DELIVERY }, 'blocked')
  })

  test('keeps what is not named as off', async () => {
    const s3 = gateway.client()
    const PublicAccessBlockConfiguration = { IgnorePublicAcls: true }
    await s3.send(new PutPublicAccessBlockCommand({ Bucket: 'blocked', PublicAccessBlockConfiguration }))
    const kept = await s3.send(new GetPublicAccessBlockCommand({ Bucket: 'blocked' }))
    expect(kept.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: false,
      IgnorePublicAcls: true,
      BlockPublicPolicy: false,
      RestrictPublicBuckets: false,
    })
    await put({ ACL: 'public-read' }, 'blocked')
  })
})
