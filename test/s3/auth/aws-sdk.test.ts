// What the AWS SDK for JavaScript puts on the wire, caught before it leaves, must be accepted; and what we sign must be what it signs.
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { SignatureV4 } from '@smithy/signature-v4'
import { describe, expect, test } from 'vitest'
import { authenticate } from '../../../src/s3/auth/authenticate.ts'
import { encodePath } from '../../../src/s3/auth/canonical-request.ts'
import { presignUrl, signRequest } from '../../../src/s3/auth/sign.ts'
import { parseTarget } from '../../../src/s3/address.ts'
import { chunkedDecoder } from '../../../src/s3/aws-chunked.ts'
import { Headers } from '../../../src/s3/headers.ts'
import { Sha256 } from '../../helpers/sha256.ts'
import { ACCESS_KEY, CREDENTIALS, NOW, SECRET } from './fixtures.ts'

interface Caught {
  method: string
  url: string
  headers: Headers
  /** What a streamed body came to; empty for others. */
  body: Buffer
}

const KEYS = ['plain.txt', 'a b+c%d&e=f?g#h', 'ünï/€/🔒', "(x)!*'~", 'a//b', 'a/./b/../c', '/lead', 'trail/', '%2F']

/** A client whose requests end here. */
function client(config: Partial<S3ClientConfig> = {}): { s3: S3Client; caught: Caught[] } {
  const caught: Caught[] = []
  const s3 = new S3Client({
    endpoint: 'http://gate.example:9000',
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET },
    maxAttempts: 1,
    requestHandler: {
      handle: async (request: {
        method: string
        path: string
        query: Record<string, string | string[] | null>
        headers: Record<string, string>
        body: unknown
      }) => {
        const query = Object.entries(request.query).map(([name, value]) =>
          value === null
            ? encodeURIComponent(name)
            : `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
        )
        const url = request.path + (query.length === 0 ? '' : `?${query.join('&')}`)
        const body = request.body instanceof Readable ? Buffer.concat(await request.body.toArray()) : Buffer.alloc(0)
        caught.push({ method: request.method, url, headers: new Headers(Object.entries(request.headers).flat()), body })
        throw new Error('caught')
      },
    },
    ...config,
  })
  return { s3, caught }
}

async function send(run: (s3: S3Client) => Promise<unknown>, config: Partial<S3ClientConfig> = {}): Promise<Caught> {
  const { s3, caught } = client(config)
  await expect(run(s3)).rejects.toThrow('caught')
  const [first] = caught
  if (first === undefined) throw new Error('Nothing was sent')
  return first
}

function receive({ method, url, headers }: Caught, now = new Date()) {
  const target = parseTarget(url, headers.get('host'), ['gate.example'])
  const lookup = (accessKey: string) => (accessKey === ACCESS_KEY ? { secret: SECRET } : undefined)
  const { rawPath, query } = target
  return { target, caller: authenticate({ method, rawPath, query, headers }, { now, region: 'us-east-1', lookup }) }
}

describe('Requests of the AWS SDK are accepted', () => {
  test.each(KEYS)('for the key %s in path style', async (Key) => {
    const request = await send((s3) => s3.send(new GetObjectCommand({ Bucket: 'bucket', Key, Range: 'bytes=0-9' })))
    const { target, caller } = receive(request)
    expect(target).toMatchObject({ bucket: 'bucket', key: Key, style: 'path' })
    expect(caller).toMatchObject({ kind: 'header', accessKey: ACCESS_KEY })
  })

  test.each(KEYS)('for the key %s in virtual-host style', async (Key) => {
    const config = { forcePathStyle: false }
    const request = await send((s3) => s3.send(new GetObjectCommand({ Bucket: 'my-bucket', Key })), config)
    const { target } = receive(request)
    expect(target).toMatchObject({ bucket: 'my-bucket', key: Key, style: 'virtual' })
  })

  test('for listings, uploads and bodies of XML', async () => {
    const list = new ListObjectsV2Command({ Bucket: 'b', Prefix: "a b+c/ü'*", Delimiter: '/', MaxKeys: 2 })
    const { target } = receive(await send((s3) => s3.send(list)))
    expect(target.query.get('prefix')).toBe("a b+c/ü'*")
    const create = new CreateMultipartUploadCommand({ Bucket: 'b', Key: 'k', Metadata: { a: 'x   "y   z"' } })
    expect(receive(await send((s3) => s3.send(create))).caller.kind).toBe('header')
    const remove = new DeleteObjectsCommand({ Bucket: 'b', Delete: { Objects: [{ Key: 'k' }] } })
    expect(receive(await send((s3) => s3.send(remove))).caller.payload.kind).toBe('hash')
  })

  test('for a body at hand, whose hash is announced', async () => {
    const put = new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: 'hello', ContentDisposition: 'a; b="c  d"' })
    const sha256 = createHash('sha256').update('hello').digest()
    expect(receive(await send((s3) => s3.send(put))).caller.payload).toEqual({ kind: 'hash', sha256 })
  })

  test('for a stream, which comes in chunks with a trailer', async () => {
    const data = Buffer.alloc(200_000, 'x')
    const Body = Readable.from([data.subarray(0, 70_000), data.subarray(70_000)])
    const put = new PutObjectCommand({ Bucket: 'b', Key: 'k', Body, ContentLength: data.length })
    const request = await send((s3) => s3.send(put))
    const { caller } = receive(request)
    expect(caller.payload).toEqual({ kind: 'unsigned-trailer' })
    const decoder = chunkedDecoder(caller.payload, request.headers)
    expect(decoder?.decodedLength).toBe(data.length)
    const out = decoder?.push(request.body) ?? []
    expect(Buffer.concat(out).equals(data)).toBe(true)
    expect(decoder?.end().trailers).toEqual({ 'x-amz-checksum-crc32': expect.stringMatching(/^[\w+/]{6}==$/) })
  })

  test.each(KEYS)('for a URL presigned for the key %s', async (Key) => {
    const { s3 } = client()
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: 'bucket', Key, ResponseContentType: 'a/b c' }))
    const headers = new Headers(['Host', 'gate.example:9000', 'User-Agent', 'curl'])
    const { target, caller } = receive({ method: 'GET', url, headers, body: Buffer.alloc(0) })
    expect(target).toMatchObject({ bucket: 'bucket', key: Key })
    expect(caller).toMatchObject({ kind: 'presigned', payload: { kind: 'unsigned' } })
  })

  test('for a URL presigned for an upload with metadata', async () => {
    const { s3 } = client()
    const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: 'b', Key: 'k', Metadata: { a: 'b c' } }))
    const headers = new Headers(['host', 'gate.example:9000', 'content-type', 'text/plain'])
    expect(receive({ method: 'PUT', url, headers, body: Buffer.alloc(0) }).caller.kind).toBe('presigned')
  })
})

describe("Our signatures are those of the SDK's signer", () => {
  const theirs = new SignatureV4({
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET },
    region: 'eu-central-1',
    service: 's3',
    sha256: Sha256,
    uriEscapePath: false,
  })
  const request = (Key: string, headers: Record<string, string>) => ({
    method: 'PUT',
    protocol: 'https:',
    hostname: 'store.example',
    path: `/bucket/${encodePath(Key)}`,
    query: { uploadId: 'a b+c/ü', partNumber: '1' },
    headers: { host: 'store.example', ...headers },
  })
  const common = { credentials: CREDENTIALS, region: 'eu-central-1', now: NOW, method: 'PUT' }
  const url = (Key: string) =>
    `https://store.example/bucket/${encodePath(Key)}?uploadId=a%20b%2Bc%2F%C3%BC&partNumber=1`

  test.each(KEYS)('in the header, for the key %s', async (Key) => {
    const headers = {
      'x-amz-meta-a': ' b   "c   d" ',
      'content-type': 'text/plain',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    }
    const signed = await theirs.sign(request(Key, headers), { signingDate: NOW })
    const ours = signRequest({ ...common, url: url(Key), headers, payloadHash: 'UNSIGNED-PAYLOAD' })
    expect(ours['authorization']).toBe(signed.headers['authorization'])
  })

  test.each(KEYS)('in a presigned URL, for the key %s', async (Key) => {
    const signed = await theirs.presign(request(Key, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }), {
      signingDate: NOW,
      expiresIn: 60,
    })
    const target = `${url(Key)}&x-amz-content-sha256=UNSIGNED-PAYLOAD`
    const ours = presignUrl({ ...common, url: target, expiresSeconds: 60 })
    expect(ours.endsWith(`&X-Amz-Signature=${String(signed.query?.['X-Amz-Signature'])}`)).toBe(true)
  })
})
