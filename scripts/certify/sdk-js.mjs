/** The AWS SDK for JavaScript: managed uploads and streams at full size; the rest of the SDK is in `npm test`. */
import { createHash, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { assert } from './shell.mjs'

export async function sdkJs({ gateway, check }) {
  const client = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: gateway.accessKey, secretAccessKey: gateway.secretKey },
  })
  const Bucket = 'sdk-js'
  await check('make a bucket', async () => void (await client.send(new CreateBucketCommand({ Bucket }))))
  await check('managed upload of a 256 MiB stream, read back with its checksum', async () => {
    const block = randomBytes(2 ** 20)
    const hash = createHash('sha256')
    async function* blocks() {
      for (let i = 0; i < 256; i += 1) {
        block.writeUInt32BE(i)
        const copy = Buffer.from(block)
        hash.update(copy)
        yield copy
      }
    }
    await new Upload({ client, params: { Bucket, Key: 'stream', Body: Readable.from(blocks()) }, partSize: 8 * 2 ** 20 }).done()
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'stream' }))
    assert(head.ContentLength === 256 * 2 ** 20, `HEAD says ${head.ContentLength}`)
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'stream', ChecksumMode: 'ENABLED' }))
    const back = createHash('sha256')
    for await (const piece of Body) back.update(piece)
    assert(back.digest('hex') === hash.digest('hex'), 'the bytes differ')
  })
  client.destroy()
  return { version: createRequire(import.meta.url)('@aws-sdk/client-s3/package.json').version }
}
