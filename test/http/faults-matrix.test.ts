/** Every call that an operation makes to its store and to the state store fails once, before or after its effect: 503, nothing torn, and the same request again succeeds. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { CountingStore } from '../helpers/counting-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send, type SignedAnswer } from '../helpers/signed-request.ts'

const MIB = 1024 * 1024
const backend = new CountingStore(new MemoryStore())
const state = new CountingStore(new MemoryStore())
let running: TestGateway
let turn = 0

beforeAll(async () => {
  running = await startGateway({ store: backend.store, state: state.store })
  await call('PUT', '/matrix')
  // The bucket's key is made once; what follows is about the operations alone.
  await call('PUT', '/matrix/first', Buffer.from('first'))
})
afterAll(() => running.close())

const call = (
  method: string,
  path: string,
  body?: Buffer,
  headers: Record<string, string> = {},
): Promise<SignedAnswer> =>
  send(running, {
    method,
    path,
    headers,
    ...(body === undefined && method !== 'PUT' ? {} : { body: body ?? Buffer.alloc(0) }),
  })

async function expectObject(key: string, body: Buffer): Promise<void> {
  const back = await call('GET', `/matrix/${key}`)
  expect([key, back.status, back.bytes.length]).toEqual([key, 200, body.length])
  expect(back.bytes.equals(body)).toBe(true)
}

async function createUpload(key: string): Promise<string> {
  const answer = await call('POST', `/matrix/${key}?uploads`)
  return /<UploadId>([^<]+)</.exec(answer.bytes.toString())?.[1] ?? ''
}
async function uploadPart(key: string, id: string, n: number, body: Buffer): Promise<string> {
  return (await call('PUT', `/matrix/${key}?partNumber=${n}&uploadId=${id}`, body)).headers.etag ?? ''
}
function completion(etags: readonly string[]): Buffer {
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
  return Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
}

interface Scene {
  /** The request under test. It may be sent again. */
  readonly act: () => Promise<SignedAnswer>
  /** What holds once it has succeeded. */
  readonly verify: () => Promise<void>
  /** What holds while it has not. */
  readonly untouched?: () => Promise<void>
  /** Statuses of a repetition that comes after the effect of a first try without an answer. */
  readonly repeated?: readonly number[]
}

/** Makes everything the request needs, under names of its own. */
const scenes: Record<string, (key: string) => Promise<Scene>> = {
  'PUT of a small object': async (key) => overwrite(key, 1_000),
  'PUT of a streamed object': async (key) => overwrite(key, 2 * MIB),
  'PUT without a length, small': async (key) => overwrite(key, 1_000, { 'transfer-encoding': 'chunked' }),
  'PUT without a length, in parts': async (key) => overwrite(key, 9 * MIB, { 'transfer-encoding': 'chunked' }),
  'GET of a small object': async (key) => reading(key, 1_000, {}),
  'GET of a large object': async (key) => reading(key, 6 * MIB, {}),
  'GET of a range': async (key) => reading(key, 6 * MIB, { range: 'bytes=100000-200000' }),
  'GET of a range of a multipart object': async (key) => {
    const body = await multipart(key)
    const act = (): Promise<SignedAnswer> =>
      call('GET', `/matrix/${key}`, undefined, { range: 'bytes=5242870-5242889' })
    return {
      act,
      verify: async () => expect((await act()).bytes.equals(body.subarray(5_242_870, 5_242_890))).toBe(true),
    }
  },
  HEAD: async (key) => {
    await call('PUT', `/matrix/${key}`, Buffer.from('head'))
    const act = (): Promise<SignedAnswer> => call('HEAD', `/matrix/${key}`)
    return { act, verify: async () => expect((await act()).headers['content-length']).toBe('4') }
  },
  DELETE: async (key) => {
    await call('PUT', `/matrix/${key}`, Buffer.from('x'))
    return {
      act: () => call('DELETE', `/matrix/${key}`),
      verify: async () => expect((await call('GET', `/matrix/${key}`)).status).toBe(404),
    }
  },
  'CopyObject in the store': async (key) => copying(key, {}),
  'CopyObject with other metadata': async (key) =>
    copying(key, { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-a': 'b' }),
  'CopyObject with another checksum': async (key) => copying(key, { 'x-amz-checksum-algorithm': 'SHA256' }),
  ListObjectsV2: async (key) => {
    await call('PUT', `/matrix/${key}`, Buffer.from('x'))
    const act = (): Promise<SignedAnswer> => call('GET', `/matrix?list-type=2&prefix=${key}`)
    return { act, verify: async () => expect((await act()).bytes.toString()).toContain(`<Key>${key}</Key>`) }
  },
  CreateMultipartUpload: async (key) => {
    let answer: SignedAnswer | undefined
    return {
      act: async () => (answer = await call('POST', `/matrix/${key}?uploads`)),
      verify: async () => {
        const id = /<UploadId>([^<]+)</.exec(answer?.bytes.toString() ?? '')?.[1] ?? ''
        expect((await call('GET', `/matrix/${key}?uploadId=${id}`)).status).toBe(200)
      },
    }
  },
  'UploadPart held back': async (key) => part(key, 1_000),
  'UploadPart streamed': async (key) => part(key, 5 * MIB),
  UploadPartCopy: async (key) => {
    const body = randomBytes(300_000)
    await call('PUT', `/matrix/${key}-source`, body)
    const id = await createUpload(key)
    const headers = { 'x-amz-copy-source': `/matrix/${key}-source`, 'x-amz-copy-source-range': 'bytes=1000-250000' }
    const act = (): Promise<SignedAnswer> =>
      call('PUT', `/matrix/${key}?partNumber=1&uploadId=${id}`, undefined, headers)
    return {
      act,
      verify: async () => {
        const etag = /<ETag>([^<]+)</.exec((await act()).bytes.toString())?.[1] ?? ''
        expect((await call('POST', `/matrix/${key}?uploadId=${id}`, completion([etag]))).status).toBe(200)
        await expectObject(key, body.subarray(1_000, 250_001))
      },
    }
  },
  ListParts: async (key) => {
    const id = await createUpload(key)
    await uploadPart(key, id, 3, Buffer.from('three'))
    const act = (): Promise<SignedAnswer> => call('GET', `/matrix/${key}?uploadId=${id}`)
    return { act, verify: async () => expect((await act()).bytes.toString()).toContain('<PartNumber>3</PartNumber>') }
  },
  ListMultipartUploads: async (key) => {
    const id = await createUpload(key)
    const act = (): Promise<SignedAnswer> => call('GET', `/matrix?uploads&prefix=${key}`)
    return { act, verify: async () => expect((await act()).bytes.toString()).toContain(id) }
  },
  AbortMultipartUpload: async (key) => {
    const id = await createUpload(key)
    await uploadPart(key, id, 1, Buffer.from('one'))
    return {
      act: () => call('DELETE', `/matrix/${key}?uploadId=${id}`),
      verify: async () => expect((await call('GET', `/matrix/${key}?uploadId=${id}`)).status).toBe(404),
      repeated: [404],
    }
  },
  CompleteMultipartUpload: async (key) => {
    const id = await createUpload(key)
    const parts = [randomBytes(5 * MIB), randomBytes(700)]
    const etags = [await uploadPart(key, id, 1, parts[0]!), await uploadPart(key, id, 2, parts[1]!)]
    return {
      act: () => call('POST', `/matrix/${key}?uploadId=${id}`, completion(etags)),
      verify: () => expectObject(key, Buffer.concat(parts)),
    }
  },
  CreateBucket: async (key) => ({
    act: () => call('PUT', `/bucket-${key}`),
    verify: async () => expect((await call('HEAD', `/bucket-${key}`)).status).toBe(200),
  }),
  DeleteBucket: async (key) => {
    await call('PUT', `/bucket-${key}`)
    return {
      act: () => call('DELETE', `/bucket-${key}`),
      verify: async () => expect((await call('HEAD', `/bucket-${key}`)).status).toBe(404),
      repeated: [404],
    }
  },
}

async function overwrite(key: string, size: number, headers: Record<string, string> = {}): Promise<Scene> {
  const old = randomBytes(500)
  const body = randomBytes(size)
  await call('PUT', `/matrix/${key}`, old)
  return {
    act: () => call('PUT', `/matrix/${key}`, body, headers),
    verify: () => expectObject(key, body),
    untouched: () => expectObject(key, old),
  }
}

async function reading(key: string, size: number, headers: Record<string, string>): Promise<Scene> {
  const body = randomBytes(size)
  await call('PUT', `/matrix/${key}`, body)
  const act = (): Promise<SignedAnswer> => call('GET', `/matrix/${key}`, undefined, headers)
  const expected = headers.range === undefined ? body : body.subarray(100_000, 200_001)
  return { act, verify: async () => expect((await act()).bytes.equals(expected)).toBe(true) }
}

async function copying(key: string, headers: Record<string, string>): Promise<Scene> {
  const body = randomBytes(100_000)
  await call('PUT', `/matrix/${key}-source`, body)
  return {
    act: () => call('PUT', `/matrix/${key}`, undefined, { 'x-amz-copy-source': `/matrix/${key}-source`, ...headers }),
    verify: () => expectObject(key, body),
    untouched: async () => expect((await call('GET', `/matrix/${key}`)).status).toBe(404),
  }
}

async function part(key: string, size: number): Promise<Scene> {
  const id = await createUpload(key)
  const body = randomBytes(size)
  let etag = ''
  return {
    act: async () => {
      const answer = await call('PUT', `/matrix/${key}?partNumber=1&uploadId=${id}`, body)
      etag = answer.headers.etag ?? ''
      return answer
    },
    verify: async () => {
      expect((await call('POST', `/matrix/${key}?uploadId=${id}`, completion([etag]))).status).toBe(200)
      await expectObject(key, body)
    },
    untouched: async () =>
      expect((await call('GET', `/matrix/${key}?uploadId=${id}`)).bytes.toString()).not.toContain('<Part>'),
  }
}

async function multipart(key: string): Promise<Buffer> {
  const id = await createUpload(key)
  const parts = [randomBytes(5 * MIB), randomBytes(70_000)]
  const etags = [await uploadPart(key, id, 1, parts[0]!), await uploadPart(key, id, 2, parts[1]!)]
  expect((await call('POST', `/matrix/${key}?uploadId=${id}`, completion(etags))).status).toBe(200)
  return Buffer.concat(parts)
}

const nextKey = (): string => `k${(turn += 1)}`
const succeeded = ({ status, torn }: SignedAnswer): boolean => status < 300 && !torn

describe.each(Object.keys(scenes))('%s', (name) => {
  const scene = scenes[name]!
  test.each([
    ['store', backend],
    ['state store', state],
  ] as const)('survives each failure of the %s', async (_where, failing) => {
    const counted = await scene(nextKey())
    failing.arm()
    expect(succeeded(await counted.act())).toBe(true)
    const calls = [...failing.calls]
    await running.gateway.background.idle()
    await counted.verify()
    for (const [at, method] of calls.entries()) {
      for (const when of ['before', 'after'] as const) {
        const { act, verify, untouched, repeated = [] } = await scene(nextKey())
        await running.gateway.background.idle()
        failing.arm(at, when)
        const first = await act()
        failing.arm()
        await running.gateway.background.idle()
        if (!succeeded(first)) {
          expect([method, when, first.status, codeOf(first) ?? '']).toEqual([
            method,
            when,
            503,
            name === 'HEAD' ? '' : 'ServiceUnavailable',
          ])
          if (when === 'before' && at === 0) await untouched?.()
          const second = await act()
          const done = succeeded(second) || ((when === 'after' || at > 0) && repeated.includes(second.status))
          expect([method, when, second.status, done]).toEqual([method, when, second.status, true])
        }
        await verify()
      }
    }
  })
})

test('an abort that broke off before the state of its upload was deleted finishes when it is repeated', async () => {
  const key = nextKey()
  const { act } = await scenes['AbortMultipartUpload']!(key)
  state.arm()
  await call('GET', `/matrix/${key}?uploadId=none`)
  // Found again, the upload is looked up first, then its plan and its outcome; its first deletion is what fails.
  const lookUps = state.calls.length + 2
  state.arm(lookUps)
  const first = await act()
  expect([state.calls.at(lookUps), first.status]).toEqual(['delete', 503])
  state.arm()
  expect((await act()).status).toBe(204)
  expect((await act()).status).toBe(404)
})
