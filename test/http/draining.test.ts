/** While the gateway stops, what still arrives on an open connection is answered as S3 answers, and the connection ends. */
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { drain } from '../../src/http/shutdown.ts'
import { startGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { signedHeaders } from '../helpers/signed-request.ts'

test('a request behind the last one is served, not turned away in a foreign language', async () => {
  const running = await startGateway()
  await running.client().send(new CreateBucketCommand({ Bucket: 'draining' }))
  const body = Buffer.alloc(1_000, 'x')
  const path = '/draining/k'
  const connection = await RawConnection.open(running.port)
  connection.write(head('PUT', path, signedHeaders(running, { method: 'PUT', path, body })))
  connection.write(body.subarray(0, 10))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const stopped = drain(running.app, 5_000)
  await new Promise((resolve) => setTimeout(resolve, 50))
  connection.write(body.subarray(10))
  connection.write(head('GET', '/', signedHeaders(running, { method: 'GET', path: '/' })))
  expect((await connection.answer())?.status).toBe(200)
  const second = await connection.answer()
  expect(second?.body).toContain('<ListAllMyBucketsResult')
  expect(second?.headers.get('connection')).toBe('close')
  expect(await stopped).toBe(true)
  await running.close()
})
