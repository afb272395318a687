/** SIGTERM: nothing new is taken, what is under way may finish. */
import { expect, test } from 'vitest'
import { parseCredentialsFile } from '../../src/access/credentials.ts'
import { readFileSync } from 'node:fs'
import { signRequest } from '../../src/s3/auth/sign.ts'
import { Workplace } from '../helpers/command.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'

const MIB = 1024 * 1024

test('an upload under way when the stop is asked for becomes an object, and then the process ends', async () => {
  const place = new Workplace()
  const gateway = await place.serve()
  await place.run(['put', '-', 's3://drain/first', '--create-bucket', '--endpoint', gateway.endpoint], {}, 'x')
  const { accessKey, secretKey } = parseCredentialsFile(
    readFileSync(place.path('sealgate-data/aws-credentials'), 'utf8'),
  )
  const body = Buffer.alloc(4 * MIB, 7)
  const headers = signRequest({
    method: 'PUT',
    url: `${gateway.endpoint}/drain/slow`,
    headers: { 'content-length': String(body.length) },
    credentials: { accessKey, secret: secretKey },
    region: 'us-east-1',
    now: new Date(),
    payloadHash: 'UNSIGNED-PAYLOAD',
  })
  const port = Number(new URL(gateway.endpoint).port)
  const upload = await RawConnection.open(port)
  upload.write(head('PUT', '/drain/slow', headers))
  upload.write(body.subarray(0, MIB))
  await new Promise((resolve) => setTimeout(resolve, 200))

  const stopped = gateway.stop()
  await expect
    .poll(() =>
      RawConnection.open(port).then(
        () => 'accepted',
        () => 'refused',
      ),
    )
    .toBe('refused')
  upload.write(body.subarray(MIB))
  expect((await upload.answer())?.status).toBe(200)
  expect(await stopped).toBe(0)

  const again = await place.serve()
  const listed = await place.run(['ls', 's3://drain/slow', '--json', '--endpoint', again.endpoint])
  expect(JSON.parse(listed.stdout)).toMatchObject({ key: 'slow', size: body.length })
  await again.stop()
  place.remove()
})

test('what takes longer than the grace is cut, and leaves nothing behind', async () => {
  const place = new Workplace({ SEALGATE_SERVER_SHUTDOWN_GRACE: '1s' })
  const gateway = await place.serve()
  const connection = await RawConnection.open(Number(new URL(gateway.endpoint).port))
  connection.write('PUT /nowhere/x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n')
  expect(await gateway.stop()).toBe(0)
  expect(await connection.closes()).toBe(true)
  place.remove()
})
