/** URLs presigned by the AWS SDK, used with fetch as a browser or curl would: every method, overrides, both styles, and a whole multipart upload. */
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  AbortMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

const Bucket = 'sdk-signed'
let running: TestGateway
let s3: S3Client
let clock = Date.now()

beforeAll(async () => {
  running = await startGateway({ domains: ['s3.test'], clock: () => clock })
  // Checksums that the SDK would compute of a body it does not have are left out.
  s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'contents', ContentType: 'a/b' }))
})
afterAll(() => running.close())

type Command = Parameters<typeof getSignedUrl>[1]
const url = (command: unknown, expiresIn = 60): Promise<string> => getSignedUrl(s3, command as Command, { expiresIn })

describe('B14 a presigned URL', () => {
  test('gets, whole and in part', async () => {
    const get = await url(new GetObjectCommand({ Bucket, Key: 'key' }))
    expect(await (await fetch(get)).text()).toBe('contents')
    const part = await fetch(get, { headers: { range: 'bytes=3-' } })
    expect([part.status, await part.text()]).toEqual([206, 'tents'])
  })

  test('puts a body that was not known when it was signed, with headers that were not either', async () => {
    const put = await url(new PutObjectCommand({ Bucket, Key: 'put' }))
    const answer = await fetch(put, { method: 'PUT', body: 'anything', headers: { 'content-type': 'text/y' } })
    expect(answer.status).toBe(200)
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'put' }))
    expect([await got.Body?.transformToString(), got.ContentType]).toEqual(['anything', 'text/y'])
  })

  test('puts metadata that was signed, and no other', async () => {
    const put = await url(new PutObjectCommand({ Bucket, Key: 'meta', Metadata: { a: 'b' } }))
    expect((await fetch(put, { method: 'PUT', body: 'x' })).status).toBe(200)
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'meta' }))).Metadata).toEqual({ a: 'b' })
    const more = await fetch(put, { method: 'PUT', body: 'x', headers: { 'x-amz-meta-c': 'd' } })
    expect([more.status, (await more.text()).includes('<HeadersNotSigned>x-amz-meta-c<')]).toEqual([403, true])
  })

  test('heads and deletes', async () => {
    const head = await fetch(await url(new HeadObjectCommand({ Bucket, Key: 'key' })), { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '8'])
    await s3.send(new PutObjectCommand({ Bucket, Key: 'gone', Body: 'x' }))
    const gone = await url(new DeleteObjectCommand({ Bucket, Key: 'gone' }))
    expect((await fetch(gone, { method: 'DELETE' })).status).toBe(204)
    expect((await fetch(await url(new GetObjectCommand({ Bucket, Key: 'gone' })))).status).toBe(404)
  })

  test('B16 overrides headers of GET and HEAD', async () => {
    const overrides = {
      ResponseCacheControl: 'no-store',
      ResponseContentDisposition: 'attachment; filename="a b.txt"',
      ResponseContentEncoding: 'x-none',
      ResponseContentLanguage: 'de',
      ResponseContentType: 'text/x',
      ResponseExpires: new Date(0),
    }
    for (const [method, Command] of [
      ['GET', GetObjectCommand],
      ['HEAD', HeadObjectCommand],
    ] as const) {
      const { status, headers } = await fetch(await url(new Command({ Bucket, Key: 'key', ...overrides })), { method })
      expect(status).toBe(200)
      expect(headers.get('content-disposition')).toBe('attachment; filename="a b.txt"')
      expect(headers.get('content-type')).toBe('text/x')
      expect(headers.get('content-language')).toBe('de')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('expires')).toBe('Thu, 01 Jan 1970 00:00:00 GMT')
    }
  })

  test('makes a multipart upload from beginning to end, without a client that has a key', async () => {
    const Key = 'many parts'
    const created = await fetch(await url(new CreateMultipartUploadCommand({ Bucket, Key })), { method: 'POST' })
    const UploadId = /<UploadId>([^<]+)</.exec(await created.text())?.[1]
    const bodies = ['a'.repeat(5 * 1024 * 1024), 'the end']
    const etags: string[] = []
    for (const [n, body] of bodies.entries()) {
      const part = await url(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: n + 1 }))
      const answer = await fetch(part, { method: 'PUT', body })
      expect(answer.status).toBe(200)
      etags.push(answer.headers.get('etag') ?? '')
    }
    const listed = await (await fetch(await url(new ListPartsCommand({ Bucket, Key, UploadId })))).text()
    expect(listed.match(/<Part>/g)).toHaveLength(2)
    const parts = etags.map((etag, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${etag}</ETag></Part>`).join('')
    const complete = await url(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId }))
    const body = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`
    const done = await (await fetch(complete, { method: 'POST', body })).text()
    expect(done).toContain(`<Location>${running.endpoint}/${Bucket}/many%20parts</Location>`)
    expect(await (await fetch(await url(new GetObjectCommand({ Bucket, Key })))).text()).toBe(bodies.join(''))
  })

  test('aborts an upload', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'aborted' }))
    const abort = await url(new AbortMultipartUploadCommand({ Bucket, Key: 'aborted', UploadId }))
    expect((await fetch(abort, { method: 'DELETE' })).status).toBe(204)
    expect((await fetch(abort, { method: 'DELETE' })).status).toBe(404)
  })

  test('B13 is over when its time is', async () => {
    // The SDK signs by the clock of the machine, in whole seconds.
    clock = Date.now()
    const get = await url(new GetObjectCommand({ Bucket, Key: 'key' }), 60)
    clock += 50_000
    expect((await fetch(get)).status).toBe(200)
    clock += 40_000
    const late = await fetch(get)
    expect([late.status, (await late.text()).includes('<Message>Request has expired</Message>')]).toEqual([403, true])
  })

  test('B17 works by the host of its bucket, and for no other bucket there', async () => {
    clock = Date.now()
    const hosted = running.client({ endpoint: `http://s3.test:${running.port}`, forcePathStyle: false })
    const signed = new URL(
      await getSignedUrl(hosted, new GetObjectCommand({ Bucket, Key: 'key' }) as Command, { expiresIn: 60 }),
    )
    expect(signed.hostname).toBe(`${Bucket}.s3.test`)
    const use = (host: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const path = `${signed.pathname}${signed.search}`
        const sent = request({ host: running.host, port: running.port, path, headers: { host } }, (res) => {
          let text = ''
          res.on('data', (piece: Buffer) => {
            text += piece.toString()
          })
          res.on('end', () => resolve(text))
        })
        sent.on('error', reject).end()
      })
    expect(await use(signed.host)).toBe('contents')
    expect(await use(`other.s3.test:${running.port}`)).toContain('SignatureDoesNotMatch')
  })
})
