/** SSE-S3 and SSE-KMS as clients speak it, and the default encryption of a bucket (S3 behaviours 99 and 105). */
import { createHash, randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketEncryptionCommand,
  GetBucketEncryptionCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  type S3Client,
  type ServerSideEncryptionRule,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Denied } from '../../src/errors.ts'
import { parseEnvelope } from '../../src/format/envelope.ts'
import { type SignedCall, send } from '../helpers/signed-request.ts'
import { notOver, type World, worldsOf } from '../helpers/worlds.ts'

const Bucket = 'encrypted'
const MIB = 1024 * 1024
const managers = ['main', 'second']
const SSE = 'x-amz-server-side-encryption'
const context = Buffer.from('{"team":"blue"}').toString('base64')

const worlds = worldsOf({ managers })

describe.each(Object.keys(worlds))('%s', (name) => {
  let world: World
  let s3: S3Client

  beforeAll(async () => {
    world = await worlds[name]!()
    s3 = world.running.client()
    await s3.send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => world.close())

  const put = (Key: string, more = {}, Body = Buffer.from('contents')) =>
    s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
  const head = (Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key }))
  const get = (Key: string) => s3.send(new GetObjectCommand({ Bucket, Key }))
  /** The alias of the key manager that an object is sealed under. */
  const managerOf = async (key: string): Promise<string> => {
    const info = await world.store.head(Bucket, key)
    return parseEnvelope(info?.metadata['sg-e'] ?? '').alias
  }
  const told = ({ ServerSideEncryption, SSEKMSKeyId, BucketKeyEnabled }: Awaited<ReturnType<typeof head>>) => [
    ServerSideEncryption,
    SSEKMSKeyId,
    BucketKeyEnabled,
  ]
  const failed = async (call: Partial<SignedCall> & { headers: Record<string, string> }) => {
    const answer = await send(world.running, {
      method: 'PUT',
      path: `/${Bucket}/refused`,
      body: Buffer.from('x'),
      ...call,
    })
    return [answer.status, /<Code>([\w.]+)<\/Code>/.exec(answer.bytes.toString())?.[1]]
  }

  test('what nobody asked for is not told, but for the sign that an ETag is no MD5', async () => {
    expect((await put('plain')).ServerSideEncryption).toBe(world.sign)
    expect(told(await head('plain'))).toEqual([world.sign, undefined, undefined])
    expect(await managerOf('plain')).toBe('main')
  })

  test('SSE-S3 is told by PUT, HEAD and GET', async () => {
    const written = await put('s3', { ServerSideEncryption: 'AES256' })
    expect(written.ServerSideEncryption).toBe('AES256')
    expect(told(await head('s3'))).toEqual(['AES256', undefined, undefined])
    expect((await get('s3')).ServerSideEncryption).toBe('AES256')
    expect(await managerOf('s3')).toBe('main')
  })

  test.each([
    ['second', 'second'],
    ['alias/second', 'second'],
    ['arn:aws:kms:eu-central-1:123456789012:alias/second', 'second'],
    ['alias/main', 'main'],
  ])('SSE-KMS with the key %s seals under the manager %s', async (SSEKMSKeyId, manager) => {
    const asked = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId, BucketKeyEnabled: true } as const
    const written = await put('kms', { ...asked, SSEKMSEncryptionContext: context })
    expect(written).toMatchObject({ ...asked, SSEKMSEncryptionContext: context })
    expect(told(await head('kms'))).toEqual(['aws:kms', SSEKMSKeyId, true])
    expect((await (await get('kms')).Body?.transformToString()) ?? '').toBe('contents')
    expect(await managerOf('kms')).toBe(manager)
  })

  test('SSE-KMS without a key, and in its double form, seals under the default manager', async () => {
    await put('kms', { ServerSideEncryption: 'aws:kms' })
    expect(told(await head('kms'))).toEqual(['aws:kms', undefined, undefined])
    await put('dsse', { ServerSideEncryption: 'aws:kms:dsse', BucketKeyEnabled: true })
    expect(told(await head('dsse'))).toEqual(['aws:kms:dsse', undefined, undefined])
    expect([await managerOf('kms'), await managerOf('dsse')]).toEqual(['main', 'main'])
  })

  test.each(['third', 'alias/third', 'alias/aws/s3', 'arn:aws:kms:x:1:key/second', 'SECOND', '../second', ''])(
    'the key %j is of no configured manager: KMS.NotFoundException, and nothing is written',
    async (keyId) => {
      const headers = { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: keyId }
      expect(await failed({ headers })).toEqual([400, 'KMS.NotFoundException'])
      expect(await world.store.head(Bucket, 'refused')).toBeUndefined()
      const path = `/${Bucket}/refused?uploads`
      expect(await failed({ method: 'POST', path, headers })).toEqual([400, 'KMS.NotFoundException'])
    },
  )

  test.each<[string, Record<string, string>]>([
    ['another algorithm', { [SSE]: 'aes:kms' }],
    ['an algorithm in lower case', { [SSE]: 'aes256' }],
    ['an empty algorithm', { [SSE]: '' }],
    ['a key without an algorithm', { [`${SSE}-aws-kms-key-id`]: 'main' }],
    ['a key with AES256', { [SSE]: 'AES256', [`${SSE}-aws-kms-key-id`]: 'main' }],
    ['a context with AES256', { [SSE]: 'AES256', [`${SSE}-context`]: context }],
    ['a context that is no base64', { [SSE]: 'aws:kms', [`${SSE}-context`]: '{"a":"b"}' }],
    ['a context that is no map', { [SSE]: 'aws:kms', [`${SSE}-context`]: Buffer.from('[]').toString('base64') }],
    ['a context of other values', { [SSE]: 'aws:kms', [`${SSE}-context`]: Buffer.from('{"a":1}').toString('base64') }],
    ['a bucket key that is no word', { [SSE]: 'aws:kms', [`${SSE}-bucket-key-enabled`]: 'yes' }],
  ])('B105 %s is InvalidArgument', async (_what, headers) => {
    expect(await failed({ headers })).toEqual([400, 'InvalidArgument'])
    expect(await world.store.head(Bucket, 'refused')).toBeUndefined()
  })

  test('B105 server-side encryption on GET, HEAD and a part is InvalidArgument', async () => {
    await put('read')
    for (const method of ['GET', 'HEAD']) {
      const { status } = await send(world.running, { method, path: `/${Bucket}/read`, headers: { [SSE]: 'AES256' } })
      expect(status).toBe(400)
    }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'read' }))
    const path = `/${Bucket}/read?partNumber=1&uploadId=${encodeURIComponent(UploadId ?? '')}`
    expect(await failed({ path, headers: { [SSE]: 'AES256' } })).toEqual([400, 'InvalidArgument'])
  })

  test('B81 an upload says in every answer what it was created with, and again when it is repeated', async () => {
    const Key = 'parts'
    await put('part-source', {}, randomBytes(5 * MIB))
    const asked = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'alias/second', BucketKeyEnabled: true } as const
    const created = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...asked }))
    expect(created).toMatchObject(asked)
    const upload = { Bucket, Key, UploadId: created.UploadId }
    const copied = await s3.send(
      new UploadPartCopyCommand({ ...upload, PartNumber: 1, CopySource: `${Bucket}/part-source` }),
    )
    const part = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 2, Body: Buffer.from('end') }))
    const Parts = [
      { PartNumber: 1, ETag: copied.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: part.ETag },
    ]
    const complete = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } })
    const answers = [copied, part, await s3.send(complete), await s3.send(complete), await head(Key), await get(Key)]
    for (const answer of answers) expect(answer).toMatchObject(asked)
    expect(await managerOf(Key)).toBe('second')
  })

  test('B63 B68 a copy takes what it is asked for, or the bucket’s default, and nothing of its source', async () => {
    await put('source', { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'second', Metadata: { kept: 'yes' } })
    const copy = (Key: string, more = {}) =>
      s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/source`, ...more }))
    await copy('copy')
    expect(told(await head('copy'))).toEqual([world.sign, undefined, undefined])
    expect(await managerOf('copy')).toBe('main')
    const same = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'alias/second' }
    expect(await copy('same', same)).toMatchObject(same)
    expect(await managerOf('same')).toBe('second')
    expect((await head('same')).Metadata).toEqual({ kept: 'yes' })
    // Onto itself: encryption is a change.
    await copy('source', { ServerSideEncryption: 'AES256' })
    expect(told(await head('source'))).toEqual(['AES256', undefined, undefined])
    expect(await managerOf('source')).toBe('main')
    expect(await (await get('source')).Body?.transformToString()).toBe('contents')
  })

  describe('the default of a bucket', () => {
    const setDefault = (rule: ServerSideEncryptionRule) =>
      s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules: [rule] } }))
    const getDefault = async () => {
      const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }))
      return ServerSideEncryptionConfiguration?.Rules
    }

    test('B99 a bucket without one is ServerSideEncryptionConfigurationNotFoundError', async () => {
      await expect(getDefault()).rejects.toMatchObject({
        name: 'ServerSideEncryptionConfigurationNotFoundError',
        $metadata: { httpStatusCode: 404 },
      })
      await s3.send(new DeleteBucketEncryptionCommand({ Bucket }))
    })

    test('it is given back as it was put, and holds for whatever says nothing', async () => {
      const rule = {
        ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'alias/second' },
        BucketKeyEnabled: true,
      } as const
      await setDefault(rule)
      expect(await getDefault()).toEqual([rule])
      expect(await put('by-default')).toMatchObject({
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: 'alias/second',
        BucketKeyEnabled: true,
      })
      expect(told(await head('by-default'))).toEqual(['aws:kms', 'alias/second', true])
      const large = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'by-default-parts' }))
      expect(large.SSEKMSKeyId).toBe('alias/second')
      await s3.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/by-default` }))
      expect([await managerOf('by-default'), await managerOf('copied')]).toEqual(['second', 'second'])
      // What a request says goes before it; the bucket key flag of the bucket stays.
      await put('said', { ServerSideEncryption: 'AES256' })
      expect(told(await head('said'))).toEqual(['AES256', undefined, undefined])
      await put('said', { ServerSideEncryption: 'aws:kms' })
      expect(told(await head('said'))).toEqual(['aws:kms', undefined, true])
      await put('said', { BucketKeyEnabled: false })
      expect(told(await head('said'))).toEqual(['aws:kms', 'alias/second', undefined])
      await s3.send(new DeleteBucketEncryptionCommand({ Bucket }))
      await expect(getDefault()).rejects.toThrow()
      expect((await put('after')).ServerSideEncryption).toBe(world.sign)
    })

    test.each<[string, string, string]>([
      ['of no rule', '', 'MalformedXML'],
      ['of two rules', '<Rule>{aes}</Rule><Rule>{aes}</Rule>', 'MalformedXML'],
      ['of an empty rule', '<Rule></Rule>', 'MalformedXML'],
      ['of another algorithm', '<Rule>{by}<SSEAlgorithm>AES512</SSEAlgorithm>{/by}</Rule>', 'MalformedXML'],
      ['without an algorithm', '<Rule>{by}<KMSMasterKeyID>main</KMSMasterKeyID>{/by}</Rule>', 'MalformedXML'],
      [
        'of a key beside AES256',
        '<Rule>{by}<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>main</KMSMasterKeyID>{/by}</Rule>',
        'InvalidArgument',
      ],
      [
        'of a key that nobody has',
        '<Rule>{by}<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>third</KMSMasterKeyID>{/by}</Rule>',
        'KMS.NotFoundException',
      ],
      [
        'with a key id under another name, which would be another key',
        '<Rule>{by}<SSEAlgorithm>aws:kms</SSEAlgorithm><KmsMasterKeyId>second</KmsMasterKeyId>{/by}</Rule>',
        'MalformedXML',
      ],
      [
        'that blocks under another name',
        '<Rule>{aes}<BlockedEncryptionType><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionType></Rule>',
        'MalformedXML',
      ],
      ['of a flag that is no word', '<Rule>{aes}<BucketKeyEnabled>yes</BucketKeyEnabled></Rule>', 'MalformedXML'],
      [
        'that blocks what is not known',
        '<Rule><BlockedEncryptionTypes><EncryptionType>SSE-S3</EncryptionType></BlockedEncryptionTypes></Rule>',
        'MalformedXML',
      ],
    ])('a document %s is refused whole', async (_what, rules, code) => {
      const by = 'ApplyServerSideEncryptionByDefault'
      const aes = `<${by}><SSEAlgorithm>AES256</SSEAlgorithm></${by}>`
      const inner = rules.replaceAll('{aes}', aes).replaceAll('{by}', `<${by}>`).replaceAll('{/by}', `</${by}>`)
      const root = 'ServerSideEncryptionConfiguration'
      const body = Buffer.from(`<${root}>${inner}</${root}>`)
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
      expect(await failed({ path: `/${Bucket}?encryption`, body, headers })).toEqual([400, code])
      await expect(getDefault()).rejects.toThrow()
    })

    test('B93 the bucket is asked for before anything else', async () => {
      const missing = { Bucket: 'not-there' }
      await expect(s3.send(new GetBucketEncryptionCommand(missing))).rejects.toMatchObject({ name: 'NoSuchBucket' })
      await expect(s3.send(new DeleteBucketEncryptionCommand(missing))).rejects.toMatchObject({ name: 'NoSuchBucket' })
      const body = Buffer.from('<nonsense/>')
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
      expect(await failed({ path: '/not-there?encryption', body, headers })).toEqual([404, 'NoSuchBucket'])
    })

    test('it goes with its bucket', async () => {
      const short = { Bucket: 'short-lived' }
      await s3.send(new CreateBucketCommand(short))
      const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }]
      await s3.send(new PutBucketEncryptionCommand({ ...short, ServerSideEncryptionConfiguration: { Rules } }))
      await s3.send(new DeleteBucketCommand(short))
      await s3.send(new CreateBucketCommand(short))
      await expect(s3.send(new GetBucketEncryptionCommand(short))).rejects.toThrow()
    })
  })
})

test(
  'a key that its manager gives to nobody any more keeps no one from listing the bucket',
  notOver('s3', 'its listings hold nothing that is sealed, so they ask for no key'),
  async () => {
    const { running, close } = await worlds['over memory']!()
    try {
      const s3 = running.client()
      await s3.send(new CreateBucketCommand({ Bucket }))
      for (const SSEKMSKeyId of managers) {
        const object = { Bucket, Key: SSEKMSKeyId, Body: SSEKMSKeyId, ServerSideEncryption: 'aws:kms' as const }
        await s3.send(new PutObjectCommand({ ...object, SSEKMSKeyId }))
      }
      const { keys } = running.gateway
      const [byKid, open] = [keys.byKid.bind(keys), keys.open.bind(keys)]
      const given = <Key extends { readonly alias: string } | undefined>(key: Key): Key => {
        if (key?.alias === 'second') throw new Denied('the key is disabled')
        return key
      }
      keys.byKid = async (...asked) => given(await byKid(...asked))
      keys.open = async (...asked) => given(await open(...asked))
      const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }))
      expect(Contents?.map(({ Key, Size }) => [Key, Size])).toEqual([
        ['main', 4],
        ['second', 6],
      ])
      expect(Contents?.[0]?.ETag).toBe(`"${createHash('md5').update('main').digest('hex')}"`)
      const read = s3.send(new GetObjectCommand({ Bucket, Key: 'second' }))
      await expect(read).rejects.toMatchObject({ name: 'AccessDenied' })
    } finally {
      await close()
    }
  },
)
