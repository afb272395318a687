/** Clients that go away, or do not stop sending: nothing of theirs stays open, and what we had to say reaches them. */
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { signedHeaders } from '../helpers/signed-request.ts'

const Bucket = 'abandoned'
const PATH = `/${Bucket}/large`
let folder: string
let store: LocalStore
let running: TestGateway

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealgate-abandoned-'))
  store = await LocalStore.open({ folder })
  running = await startGateway({ store })
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'large', Body: Buffer.alloc(20_000_000) }))
})
afterAll(async () => {
  await running.close()
  await store.close()
  await rm(folder, { recursive: true })
})

/** How many of the store's body files this process has open. */
async function openBodies(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  )
  return links.filter((path) => path.startsWith(join(folder, 'bodies'))).length
}

test.runIf(process.platform === 'linux')(
  'requests pipelined on a connection that breaks close their files',
  async () => {
    const get = head('GET', PATH, signedHeaders(running, { method: 'GET', path: PATH }))
    const socket = connect(running.port, '127.0.0.1')
    // The first answer is not read, so that the others wait behind it.
    socket.pause()
    socket.write(get.repeat(5))
    await vi.waitFor(async () => expect(await openBodies()).toBe(5), 10_000)
    socket.destroy()
    await vi.waitFor(async () => expect(await openBodies()).toBe(0), 10_000)
  },
)

test('a client that goes on sending after an early error is heard out for a while before its connection closes', async () => {
  const body = Buffer.alloc(3_000_000)
  const connection = await RawConnection.open(running.port)
  connection.write(
    head('PUT', '/no-such-bucket/k', signedHeaders(running, { method: 'PUT', path: '/no-such-bucket/k', body })),
  )
  connection.write(body.subarray(0, 1_000_000))
  const answer = await connection.answer()
  expect(answer?.status).toBe(404)
  expect(answer?.body).toContain('NoSuchBucket')
  expect(await connection.closes(300)).toBe(false)
  // It has sent everything: now there is nothing that closing could reset.
  const started = Date.now()
  connection.write(body.subarray(1_000_000))
  expect(await connection.closes()).toBe(true)
  expect(Date.now() - started).toBeLessThan(1_500)
})

test('a client that never stops sending is cut off', async () => {
  const body = Buffer.alloc(300_000)
  const connection = await RawConnection.open(running.port)
  connection.write(
    head('PUT', '/no-such-bucket/k', signedHeaders(running, { method: 'PUT', path: '/no-such-bucket/k', body })),
  )
  connection.write(body.subarray(0, 1))
  expect((await connection.answer())?.status).toBe(404)
  expect(await connection.closes(10_000)).toBe(true)
})
