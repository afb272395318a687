/** Key managers for single buckets: who seals what is new, who opens what is old, what a copy between two of them is. */
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseEnvelope } from '../../src/format/envelope.ts'
import { parseStateRecordPrefix } from '../../src/format/state-record.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

let gateway: TestGateway
/** By bucket; as settings that are read anew would change it. */
let managers: Record<string, string>

beforeEach(async () => {
  managers = { tenant: 'second' }
  gateway = await startGateway({
    managers: ['main', 'second', 'third'],
    rules: (bucket) => ({ manager: managers[bucket] }),
  })
  for (const Bucket of ['plain', 'tenant']) await gateway.client().send(new CreateBucketCommand({ Bucket }))
})
afterEach(() => gateway.close())

const put = (Bucket: string, Key: string, more: object = {}) =>
  gateway.client().send(new PutObjectCommand({ Bucket, Key, Body: 'content', ...more }))
const text = async (Bucket: string, Key: string) => {
  const { Body } = await gateway.client().send(new GetObjectCommand({ Bucket, Key }))
  return Body?.transformToString()
}
const info = async (bucket: string, key: string) => {
  const found = await gateway.store.head(bucket, key)
  if (found === undefined) throw new Error('there is no such object')
  return found
}
const managerOf = async (bucket: string, key: string) =>
  parseEnvelope((await info(bucket, key)).metadata['sg-e'] ?? '').alias

describe('the manager that seals a new object', () => {
  it('is the one of the client, else of the default encryption of the bucket, else of its settings, else the active one', async () => {
    await put('plain', 'a')
    await put('tenant', 'a')
    await put('tenant', 'b', { ServerSideEncryption: 'AES256' })
    await put('tenant', 'c', { ServerSideEncryption: 'aws:kms' })
    await put('tenant', 'd', { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'main' })
    const found = await Promise.all(['a', 'b', 'c', 'd'].map((key) => managerOf('tenant', key)))
    expect([await managerOf('plain', 'a'), ...found]).toEqual(['main', 'second', 'second', 'second', 'main'])
    const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'third' } as const }
    await gateway
      .client()
      .send(new PutBucketEncryptionCommand({ Bucket: 'tenant', ServerSideEncryptionConfiguration: { Rules: [rule] } }))
    await put('tenant', 'e')
    expect(await managerOf('tenant', 'e')).toBe('third')
  })

  it('changes with the settings, and what another has sealed is read on', async () => {
    await put('tenant', 'a')
    managers = { tenant: 'third' }
    await put('tenant', 'b')
    managers = {}
    await put('tenant', 'c')
    expect(await Promise.all(['a', 'b', 'c'].map((key) => managerOf('tenant', key)))).toEqual([
      'second',
      'third',
      'main',
    ])
    for (const key of ['a', 'b', 'c']) expect(await text('tenant', key)).toBe('content')
  })

  it('seals the state of an upload too: nothing of it is under the key of another', async () => {
    const s3 = gateway.client()
    const at = { Bucket: 'tenant', Key: 'parts' }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at))
    const { ETag } = await s3.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: 'part' }))
    const state = new StateStore(gateway.state, 'sealgate-state')
    const aliases = async (name: string): Promise<string[]> => {
      const { records } = await state.list('uploads/')
      const found = await Promise.all(
        records.filter(({ path }) => path.endsWith(name)).map(({ path }) => state.get(path)),
      )
      return found.map((record) => parseStateRecordPrefix(record?.bytes ?? Buffer.alloc(0)).wrapped.alias)
    }
    expect(await aliases('/create')).toEqual(['second'])
    await s3.send(
      new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }),
    )
    await gateway.gateway.background.idle()
    expect(await aliases('/done')).toEqual(['second'])
    expect(await managerOf('tenant', 'parts')).toBe('second')
    expect(await text('tenant', 'parts')).toBe('part')
  })
})

describe('a copy', () => {
  const body = async (bucket: string, key: string): Promise<string> => {
    const { size } = await info(bucket, key)
    const { body: stream } = await gateway.store.get(bucket, key, { signal: new AbortController().signal })
    const pieces: Buffer[] = []
    for await (const piece of stream) pieces.push(...piece)
    expect(Buffer.concat(pieces)).toHaveLength(size)
    return Buffer.concat(pieces).toString('hex')
  }
  const copy = (from: string, Bucket: string, Key: string) =>
    gateway.client().send(new CopyObjectCommand({ Bucket, Key, CopySource: from }))

  it('between buckets of different managers is sealed anew under the one of its target', async () => {
    await put('plain', 'a')
    await copy('plain/a', 'tenant', 'a')
    expect(await managerOf('tenant', 'a')).toBe('second')
    expect(await text('tenant', 'a')).toBe('content')
    expect(await body('tenant', 'a')).not.toBe(await body('plain', 'a'))
    await copy('plain/a', 'plain', 'b')
    expect(await body('plain', 'b')).toBe(await body('plain', 'a'))
  })

  it('of an object that an earlier manager of the bucket has sealed is sealed anew', async () => {
    await put('tenant', 'a')
    managers = { tenant: 'third' }
    await copy('tenant/a', 'tenant', 'b')
    expect([await managerOf('tenant', 'a'), await managerOf('tenant', 'b')]).toEqual(['second', 'third'])
    expect(await body('tenant', 'b')).not.toBe(await body('tenant', 'a'))
  })
})
