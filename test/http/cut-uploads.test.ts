/** Uploads whose client goes away, at any point and in any coding: no object, no part, nothing kept anywhere, and no memory held (S3 behaviour 26). */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, send, type SignedCall, signedHeaders } from '../helpers/signed-request.ts'

const MIB = 1024 * 1024
const Bucket = 'cut'
let events: RequestEvent[] = []
const stop = requestDone.subscribe((event) => void events.push(event))
afterAll(stop)
beforeEach(() => {
  events = []
})

/** Each body as it goes over the wire, and what has to be said about it. */
const codings: Record<
  string,
  (body: Buffer) => { wire: Buffer; call: Partial<SignedCall>; unsigned: Record<string, string> }
> = {
  'with its length': (body) => ({
    wire: body,
    call: { headers: { 'content-length': String(body.length) } },
    unsigned: {},
  }),
  'in chunks': (body) => ({
    wire: Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]),
    call: {},
    unsigned: { 'transfer-encoding': 'chunked' },
  }),
  'in aws-chunked coding': (body) => {
    const wire = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
    return {
      wire,
      call: {
        payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        headers: { 'x-amz-decoded-content-length': String(body.length), 'content-length': String(wire.length) },
      },
      unsigned: {},
    }
  },
}

describe.each(['memory', 'local'])('over the %s store', (kind) => {
  let folder = ''
  let store: ObjectStore
  let running: TestGateway
  let uploadId = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealgate-cut-'))
    store = kind === 'memory' ? new MemoryStore() : await LocalStore.open({ folder })
    running = await startGateway({ store, state: store, gatherBytes: 40 * MIB })
    await send(running, { method: 'PUT', path: `/${Bucket}`, body: Buffer.alloc(0) })
    const create = await send(running, { method: 'POST', path: `/${Bucket}/parts?uploads` })
    uploadId = /<UploadId>([^<]+)</.exec(create.bytes.toString())?.[1] ?? ''
  })
  afterAll(async () => {
    await running.close()
    await store.close()
    await rm(folder, { recursive: true })
  })

  async function everything(): Promise<unknown> {
    const state = await store.list('sealgate-state', { prefix: '', limit: 1_000 })
    const ref = { bucket: Bucket, key: 'parts', uploadId }
    return {
      objects: (await store.list(Bucket, { prefix: '', limit: 10 })).objects,
      parts: (await store.listParts(ref, { after: 0, limit: 10 })).parts,
      uploads: (await store.listUploads(Bucket, { prefix: '', limit: 10 })).uploads.map(({ key }) => key),
      state: state.objects.map(({ key }) => key).filter((key) => !key.startsWith('keyring')),
      files: kind === 'local' ? await bodies(folder) : [],
    }
  }

  const sizes: [string, number, string, () => string][] = [
    ['a small object', 1_000, 'object', () => `/${Bucket}/object`],
    ['a streamed object', 3 * MIB, 'object', () => `/${Bucket}/object`],
    ['an object that may come in parts', 20 * MIB, 'object', () => `/${Bucket}/object`],
    ['a part that is held back', 2 * MIB, 'part', () => `/${Bucket}/parts?partNumber=1&uploadId=${uploadId}`],
    ['a streamed part', 6 * MIB, 'part', () => `/${Bucket}/parts?partNumber=2&uploadId=${uploadId}`],
  ]
  describe.each(sizes)('%s', (_what, size, _kind, path) => {
    test.each(Object.keys(codings))('B26 %s leaves nothing behind', async (coding) => {
      const { wire, call, unsigned } = codings[coding]!(randomBytes(size))
      const before = await everything()
      for (const fraction of [0, 0.1, 0.5, 1]) {
        events = []
        const connection = await RawConnection.open(running.port)
        const headers = signedHeaders(running, { method: 'PUT', path: path(), ...call })
        connection.write(head('PUT', path(), { ...headers, ...unsigned }))
        // All but the last bytes at most.
        connection.write(wire.subarray(0, Math.floor((wire.length - 4) * fraction)))
        await new Promise((resolve) => setTimeout(resolve, size > 4 * MIB ? 60 : 25))
        connection.close()
        await expect.poll(() => events.length).toBe(1)
        expect(events[0]).toMatchObject({ disconnected: true, status: 499 })
        expect([events[0]?.code, events[0]?.cause]).toEqual([undefined, undefined])
      }
      await expect.poll(everything).toEqual(before)
      // Whatever was held in memory has been given back.
      fill(running)()
    })
  })
})

/** Takes all of the memory for gathered bodies, which must be free. Returns what gives it back. */
function fill({ gateway: { limits } }: TestGateway): () => void {
  const held = limits.gather.open()
  held.add(limits.gather.limit)
  return () => held.release()
}

/** Files below a folder that hold bodies, whatever they are called; the index is not among them. */
async function bodies(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true })
  return found
    .filter((one) => one.isFile() && !/\.(?:mdb|lock)$|lock/.test(one.name))
    .map(({ name }) => name)
    .sort()
}

describe('parts without a length', () => {
  let running: TestGateway
  let path = ''
  beforeAll(async () => {
    running = await startGateway({ gatherBytes: 20 * MIB })
    await send(running, { method: 'PUT', path: `/${Bucket}`, body: Buffer.alloc(0) })
    const create = await send(running, { method: 'POST', path: `/${Bucket}/k?uploads` })
    path = `/${Bucket}/k?partNumber=1&uploadId=${/<UploadId>([^<]+)</.exec(create.bytes.toString())?.[1] ?? ''}`
  })
  afterAll(() => running.close())
  const chunked = { 'transfer-encoding': 'chunked' }

  test.each([0, 10, 3 * MIB, 5 * MIB, 8 * MIB])('of %i bytes are taken', async (size) => {
    expect((await send(running, { method: 'PUT', path, body: randomBytes(size), headers: chunked })).status).toBe(200)
  })

  test('over 8 MiB are MissingContentLength, and the part before stays', async () => {
    const answer = await send(running, { method: 'PUT', path, body: randomBytes(8 * MIB + 1), headers: chunked })
    expect([answer.status, codeOf(answer)]).toEqual([411, 'MissingContentLength'])
    const parts = await send(running, { method: 'GET', path: path.replace('partNumber=1&', '') })
    expect(parts.bytes.toString()).toContain(`<Size>${8 * MIB}</Size>`)
  })

  test('over the memory allowed for them are SlowDown, and taken when there is room', async () => {
    const release = fill(running)
    const answer = await send(running, { method: 'PUT', path, body: randomBytes(100), headers: chunked })
    expect([answer.status, codeOf(answer)]).toEqual([503, 'SlowDown'])
    release()
    expect((await send(running, { method: 'PUT', path, body: randomBytes(100), headers: chunked })).status).toBe(200)
  })
})

test('a body that was announced and does not come takes nothing from the others', async () => {
  const running = await startGateway({ gatherBytes: 2 * MIB })
  try {
    await send(running, { method: 'PUT', path: `/${Bucket}`, body: Buffer.alloc(0) })
    const body = randomBytes(MIB)
    const silent = Array.from({ length: 8 }, () => connect(running.port, running.host))
    for (const socket of silent) socket.write(headOf(running, `/${Bucket}/silent`, body))
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await send(running, { method: 'PUT', path: `/${Bucket}/other`, body })).status).toBe(200)
    for (const socket of silent) socket.destroy()
  } finally {
    await running.close()
  }
})

/** The head of a PUT whose body never comes. */
function headOf(running: TestGateway, path: string, body: Buffer): string {
  const headers = signedHeaders(running, { method: 'PUT', path, body })
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `PUT ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
