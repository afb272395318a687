/** The AWS SDK for JavaScript: managed uploads and streams at full size; the rest of the SDK is in `npm test`. */
import { createHash, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { assert } from '../shell.mjs'

export const sdkJs = {
  name: 'sdk-js',
  label: 'AWS SDK for JavaScript v3',
  install: () => ({ version: createRequire(import.meta.url)('@aws-sdk/client-s3/package.json').version }),
  run,
}

const Bucket = 'sdk-js'

async function run({ gateway, check, quick, conditional }) {
  const client = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: gateway.accessKey, secretAccessKey: gateway.secretKey },
  })
  await check('make a bucket', async () => void (await client.send(new CreateBucketCommand({ Bucket }))))
  await check('managed upload of a stream, read back with its checksum', () => stream(client, quick ? 24 : 256))
  await check('put, ranged get, metadata, copy, delete', () => objects(client))
  await check('conditional writes', () => conditionalWrites(client, conditional))
  await check('a presigned URL', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: 'presigned ü', Body: 'by url' }))
    const answer = await fetch(
      await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'presigned ü' }), { expiresIn: 60 }),
    )
    assert((await answer.text()) === 'by url', `status ${answer.status}`)
  })
  client.destroy()
}

/** A stream of unknown length of so many MiB. */
async function stream(client, mebibytes) {
  const block = randomBytes(2 ** 20)
  const hash = createHash('sha256')
  async function* blocks() {
    for (let i = 0; i < mebibytes; i += 1) {
      block.writeUInt32BE(i)
      const copy = Buffer.from(block)
      hash.update(copy)
      yield copy
    }
  }
  await new Upload({
    client,
    params: { Bucket, Key: 'stream', Body: Readable.from(blocks()) },
    partSize: 8 * 2 ** 20,
  }).done()
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'stream' }))
  assert(head.ContentLength === mebibytes * 2 ** 20, `HEAD says ${head.ContentLength}`)
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'stream', ChecksumMode: 'ENABLED' }))
  const back = createHash('sha256')
  for await (const piece of Body) back.update(piece)
  assert(back.digest('hex') === hash.digest('hex'), 'the bytes differ')
}

async function objects(client) {
  const Body = randomBytes(300_000)
  await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body, Metadata: { one: '1' } }))
  await client.send(new CopyObjectCommand({ Bucket, Key: 'b', CopySource: `${Bucket}/a` }))
  const {
    Body: some,
    Metadata,
    ContentRange,
  } = await client.send(new GetObjectCommand({ Bucket, Key: 'b', Range: 'bytes=65530-131080' }))
  assert(Buffer.from(await some.transformToByteArray()).equals(Body.subarray(65530, 131081)), 'the range differs')
  assert(
    ContentRange === 'bytes 65530-131080/300000' && Metadata.one === '1',
    `${ContentRange} ${JSON.stringify(Metadata)}`,
  )
  await client.send(new DeleteObjectCommand({ Bucket, Key: 'b' }))
  const gone = await client.send(new HeadObjectCommand({ Bucket, Key: 'b' })).catch((error) => error)
  assert(gone.$metadata.httpStatusCode === 404, 'it is still there')
}

async function conditionalWrites(client, conditional) {
  const put = () =>
    client.send(new PutObjectCommand({ Bucket, Key: 'once', Body: '1', IfNoneMatch: '*' })).then(
      ({ $metadata }) => $metadata.httpStatusCode,
      (error) => error.$metadata?.httpStatusCode,
    )
  const answers = [await put(), await put()].join(' then ')
  assert(answers === (conditional === '412' ? '200 then 412' : '501 then 501'), answers)
}
