import { Agent } from 'node:https'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { startGateway } from '../helpers/gateway.ts'
import { pem } from '../helpers/pem.ts'

test('the listener speaks HTTPS with a certificate from the settings', async () => {
  const running = await startGateway({ server: { tls: { cert: pem('cert'), key: pem('key') } } })
  try {
    const httpsAgent = new Agent({ ca: pem('cert') })
    const s3 = running.client({
      endpoint: `https://127.0.0.1:${running.port}`,
      requestHandler: { httpsAgent },
    })
    await s3.send(new CreateBucketCommand({ Bucket: 'tls' }))
    const Body = Buffer.alloc(3_000_000, 7)
    await s3.send(new PutObjectCommand({ Bucket: 'tls', Key: 'k', Body }))
    const got = await s3.send(new GetObjectCommand({ Bucket: 'tls', Key: 'k' }))
    expect(Buffer.from(await got.Body!.transformToByteArray()).equals(Body)).toBe(true)
    httpsAgent.destroy()
  } finally {
    await running.close()
  }
})
