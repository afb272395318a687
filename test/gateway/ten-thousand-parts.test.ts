import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { MIN_SEGMENT_BYTES, storedSize } from '../../src/format/sizes.ts'
import { md5Etag } from '../../src/gateway/etag.ts'
import { startGateway } from '../helpers/gateway.ts'
import { once } from '../helpers/tamper.ts'

const PARTS = 10_000
const Bucket = 'many'
const Key = 'parts'

test('an upload of 10,000 parts is listed page by page and completed', async () => {
  const running = await startGateway()
  const { gateway, store } = running
  const s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket }))
  const uploadId = (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId!
  const ref = { bucket: Bucket, key: Key, uploadId }
  const { objectKey } = (await gateway.uploads.find(ref, Bucket))!

  // 52 GB of real parts would prove nothing more about what is planned: these say they have 5 MiB.
  const md5 = Buffer.alloc(16, 7)
  for (let n = 1; n < PARTS; n += 1) {
    const { etag } = await store.putPart(ref, n, once(Buffer.alloc(1)), {})
    await gateway.uploads.journal(ref, objectKey, n, gateway.uploads.newAttempt(), {
      bytes: MIN_SEGMENT_BYTES,
      segmentSalt: gateway.random(24),
      md5,
      heldBack: false,
      clientEtag: md5Etag(md5, 0),
      backendEtag: etag,
    })
  }
  const last = await s3.send(
    new UploadPartCommand({ Bucket, Key, UploadId: uploadId, PartNumber: PARTS, Body: 'the end' }),
  )

  let listed = 0
  for (let PartNumberMarker: string | undefined; ; ) {
    const page = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId: uploadId, PartNumberMarker }))
    listed += page.Parts?.length ?? 0
    if (page.IsTruncated !== true) break
    PartNumberMarker = page.NextPartNumberMarker
  }
  expect(listed).toBe(PARTS)

  const Parts = Array.from({ length: PARTS }, (_, i) => ({
    PartNumber: i + 1,
    ETag: i + 1 === PARTS ? last.ETag : md5.toString('hex'),
  }))
  const total = (PARTS - 1) * MIN_SEGMENT_BYTES + 7
  const done = await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId: uploadId,
      MpuObjectSize: total,
      MultipartUpload: { Parts },
    }),
  )
  expect(done.ETag).toMatch(/^"[0-9a-f]{32}-10000"$/)
  // What the gateway wrote itself fills the object up to the size that its plaintext demands.
  const info = (await store.head(Bucket, Key))!
  const claimed = (PARTS - 1) * (64 + MIN_SEGMENT_BYTES + 16 * 81)
  expect(info.size - (PARTS - 1) + claimed).toBe(storedSize(total))
  await running.close()
}, 60_000)
