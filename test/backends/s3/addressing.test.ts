/** Names on their way to a store: in the path, in the host, and signed as they are sent, which a real server verifies. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeldBody } from '../../../src/backends/body.ts'
import { StoreClient } from '../../../src/backends/s3/client.ts'
import { StoreCredentials } from '../../../src/backends/s3/credentials.ts'
import { Transport, type TransportRequest, type TransportResponse } from '../../../src/backends/s3/transport.ts'
import { startGateway, type TestGateway } from '../../helpers/gateway.ts'
import { s3Store } from '../../helpers/s3-store.ts'
import { collect, putOptions } from '../../contract/object-store/bench.ts'

const ODD_KEYS = [
  'a b+c%d/é/..//x',
  '..',
  '.',
  './a/../b',
  '/leading',
  '//two',
  'trailing/',
  'a//b///',
  '?query=1&uploads',
  '#fragment',
  '%2F%00%zz',
  'a+b c%20d',
  '\u0001\u007F\t\r\n',
  "~*'()!-_.",
  '&<>"',
  ';,:=@$|\\^`{}[]',
  'ä\u0308 und a\u0308',
  '\u{1F600}/\u{10FFFF}',
  'x'.repeat(1_024),
]

let server: TestGateway
let store: ReturnType<typeof s3Store>
beforeAll(async () => {
  server = await startGateway()
  store = s3Store({
    endpoint: server.endpoint,
    profile: { versions: false, tags: false, conditionalCopy: true },
    copyRequestLimit: 5 * 1024 * 1024,
  })
  await store.createBucket('odd')
  await store.createBucket('odd.with.dots')
})
afterAll(async () => {
  await store.close()
  await server.close()
})

const putText = (bucket: string, key: string, text: string) =>
  store.put(bucket, key, new HeldBody([Buffer.from(text)]), putOptions())

describe.each(ODD_KEYS.map((key) => [key]))('the key %j', (key) => {
  test('names one object in every request', async () => {
    const { etag } = await putText('odd', key, key)
    expect((await store.head('odd', key))?.etag).toBe(etag)
    expect((await collect((await store.get('odd', key)).body)).toString()).toBe(key)
    const { objects } = await store.list('odd', { prefix: key, limit: 1_000 })
    expect(objects.map((one) => one.key)).toEqual(expect.arrayContaining([key]))
    await store.copy(
      { bucket: 'odd', key },
      { bucket: 'odd.with.dots', key },
      { sourceIfMatch: etag, size: 5, metadata: {} },
    )
    expect((await collect((await store.get('odd.with.dots', key)).body)).toString()).toBe(key)
    const upload = { bucket: 'odd', key, uploadId: await store.createUpload('odd', key, { metadata: {} }) }
    const part = await store.putPart(upload, 1, new HeldBody([Buffer.from('part')]), {})
    const { uploads } = await store.listUploads('odd', { prefix: key, limit: 9 })
    expect(uploads.map((one) => one.key)).toContain(key)
    await store.completeUpload(upload, { parts: [{ partNumber: 1, etag: part.etag }] })
    expect((await collect((await store.get('odd', key)).body)).toString()).toBe('part')
    expect(await store.deleteMany('odd', [{ key }, { key: `${key.slice(0, 1_000)}-missing` }])).toEqual([{}, {}])
    expect(await store.head('odd', key)).toBeUndefined()
    await store.delete('odd.with.dots', key)
    expect(await store.head('odd.with.dots', key)).toBeUndefined()
  })
})

test('odd prefixes, delimiters and starts of listings', async () => {
  const keys = ['p q+r%/1', 'p q+r%/2', 'p q+r%0', 'p é']
  for (const key of keys) await putText('odd', key, key)
  const list = (more: object) => store.list('odd', { prefix: 'p', limit: 100, ...more })
  expect((await list({ prefix: 'p q+r%', delimiter: '/' })).commonPrefixes).toEqual(['p q+r%/'])
  expect((await list({ after: 'p q+r%/1' })).objects.map(({ key }) => key)).toEqual(keys.slice(1))
  expect((await list({ after: 'p q+r%/', afterPrefix: true })).objects.map(({ key }) => key)).toEqual(keys.slice(2))
  expect((await list({ delimiter: '%' })).commonPrefixes).toEqual(['p q+r%'])
})

describe('the bucket stands', () => {
  const sent: TransportRequest[] = []
  const answers: TransportResponse[] = []
  class Recording extends Transport {
    override send(request: TransportRequest): Promise<TransportResponse> {
      sent.push(request)
      const answer = answers.shift()
      return answer === undefined ? Promise.reject(new Error('not sent')) : Promise.resolve(answer)
    }
  }
  const open = (pathStyle: boolean, endpoint: string) =>
    new StoreClient({
      endpoint,
      region: 'us-east-1',
      pathStyle,
      transport: new Recording({ connections: 1, connectTimeout: 1, idleTimeout: 1, tls: { insecure: false } }),
      credentials: new StoreCredentials({
        provider: async () => ({ accessKeyId: 'A', secretAccessKey: 's' }),
        check: () => undefined,
        now: () => 0,
      }),
      retry: { attempts: 1, budget: 0, baseDelay: 1, maxDelay: 1 },
      timing: { now: () => 0, random: () => 0, sleep: async () => undefined },
    })
  const address = async (pathStyle: boolean, endpoint: string, bucket?: string, key?: string) => {
    sent.length = 0
    const client = open(pathStyle, endpoint)
    const place = { ...(bucket === undefined ? {} : { bucket }), ...(key === undefined ? {} : { key }) }
    await expect(client.send({ what: 'x', method: 'GET', ...place })).rejects.toThrow('not sent')
    const [{ origin, path, headers } = { origin: '', path: '', headers: {} as Record<string, string> }] = sent
    return [origin, path, headers['host']]
  }

  test.each([
    [true, 'https://s3.example', 'b', 'k/é', ['https://s3.example', '/b/k/%C3%A9', 's3.example']],
    [true, 'https://s3.example', 'b.c', 'k', ['https://s3.example', '/b.c/k', 's3.example']],
    [true, 'http://h:9000', 'b', undefined, ['http://h:9000', '/b', 'h:9000']],
    [true, 'http://h:9000', undefined, undefined, ['http://h:9000', '/', 'h:9000']],
    [false, 'https://s3.example', 'b', 'k/é', ['https://b.s3.example', '/k/%C3%A9', 'b.s3.example']],
    [false, 'https://s3.example:8443', 'b', undefined, ['https://b.s3.example:8443', '/', 'b.s3.example:8443']],
    [false, 'https://s3.example', undefined, undefined, ['https://s3.example', '/', 's3.example']],
    // No certificate for *.s3.example covers it.
    [false, 'https://s3.example', 'b.c', 'k', ['https://s3.example', '/b.c/k', 's3.example']],
    [false, 'https://s3.example', 'b', '/k//', ['https://b.s3.example', '//k//', 'b.s3.example']],
  ])('path style %s, %s, %s, %s', async (pathStyle, endpoint, bucket, key, expected) => {
    expect(await address(pathStyle, endpoint, bucket, key)).toEqual(expected)
  })

  test.each([
    ['https://s3.us-east-1.amazonaws.com', 'eu-west-3', 'https://b.s3.eu-west-3.amazonaws.com'],
    ['https://s3.dualstack.us-east-1.amazonaws.com', 'eu-west-3', 'https://b.s3.dualstack.eu-west-3.amazonaws.com'],
    // Any other address answers for all regions of its store.
    ['https://s3.us-east-1.example', 'eu-west-3', 'https://b.s3.us-east-1.example'],
    // And nobody makes an address of our own out of this.
    ['https://s3.us-east-1.amazonaws.com', 'evil.example/', 'https://b.s3.us-east-1.amazonaws.com'],
  ])('at %s, elsewhere (%s)', async (endpoint, region, origin) => {
    sent.length = 0
    const client = open(false, endpoint)
    const body = { async *[Symbol.asyncIterator]() {} }
    const headers = { 'x-amz-bucket-region': region }
    answers.push({ status: 301, headers, body, cancel: () => undefined })
    const get = (bucket: string) => client.send({ what: 'x', method: 'GET', bucket }).catch(() => undefined)
    await get('b')
    await get('b')
    await get('c')
    expect([sent.at(-2)?.origin, sent.at(-1)?.origin]).toEqual([origin, endpoint.replace('://', '://c.')])
  })
})
