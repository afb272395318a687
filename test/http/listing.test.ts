/** Listings of objects and buckets, read as documents: order, pages, prefixes, encoding, exact sizes and ETags (S3 behaviour 20, 83 to 91, 93, 94). */
import { createHash } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { childText, parseXml, type XmlElement } from '../../src/s3/xml.ts'
import { expectEtag } from '../helpers/etags.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { differs, listable, notOver, startTested, storable } from '../helpers/worlds.ts'

let running: TestGateway

/** In the order of their UTF-8 bytes, which is not that of UTF-16: U+FF5E comes before U+1F600. */
const KEYS = listable([
  '\u0001',
  ' ',
  '..',
  '../up',
  '/lead',
  '//',
  'a',
  'a b',
  'a+b',
  'a/',
  'a/b',
  'a//b',
  'a/b/c',
  'a<&">\'',
  'asdf+b',
  'quux ab/x',
  'tab\tnew\nline\r',
  'ü',
  'ｚ',
  '～',
  '\u{1d4b3}',
  '\u{1f600}',
]).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

beforeAll(async () => {
  running = await startTested()
  await running.client().send(new CreateBucketCommand({ Bucket: 'listing' }))
  for (const key of KEYS) await put('listing', key, Buffer.from(key))
})
afterAll(() => running.close())

async function put(bucket: string, key: string, body: Buffer): Promise<void> {
  const answer = await send(running, { method: 'PUT', path: `/${bucket}/${encodeURIComponent(key)}`, body })
  expect(answer.status).toBe(200)
}

interface Page {
  readonly document: XmlElement
  readonly raw: string
  readonly keys: string[]
  readonly prefixes: string[]
  readonly value: (name: string) => string | undefined
}

const all = (element: XmlElement, name: string): XmlElement[] => element.children.filter((one) => one.name === name)

async function list(query: Record<string, string>, bucket = 'listing'): Promise<Page> {
  const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  const answer = await send(running, { method: 'GET', path: `/${bucket}?${text.join('&')}` })
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/xml'])
  const document = parseXml(answer.bytes, 10_000_000)
  expect(document.name).toBe('ListBucketResult')
  return {
    document,
    raw: answer.bytes.toString(),
    keys: all(document, 'Contents').map((one) => childText(one, 'Key') ?? ''),
    prefixes: all(document, 'CommonPrefixes').map((one) => childText(one, 'Prefix') ?? ''),
    value: (name) => childText(document, name),
  }
}

async function refused(query: string, bucket = 'listing'): Promise<[number, string | undefined]> {
  const answer = await send(running, { method: 'GET', path: `/${bucket}?${query}` })
  return [answer.status, codeOf(answer)]
}

describe.each(['v1', 'v2'])('%s', (version) => {
  const v: Record<string, string> = version === 'v2' ? { 'list-type': '2' } : {}

  test('B83 is in UTF-8 order and names every key as it is', async () => {
    const page = await list(v)
    expect(page.keys).toEqual(KEYS)
    expect(page.value('IsTruncated')).toBe('false')
    if (version === 'v2') expect(page.value('KeyCount')).toBe(String(KEYS.length))
    if (storable('\u0001')) expect(page.raw).toContain('<Key>&#x1;</Key>')
  })

  test('B89 with encoding-type=url gives names percent-encoded, slashes apart', async () => {
    const page = await list({ ...v, 'encoding-type': 'url' })
    expect(page.value('EncodingType')).toBe('url')
    expect(page.keys.map((key) => decodeURIComponent(key.replaceAll('+', '%20')))).toEqual(KEYS)
    for (const key of ['asdf%2Bb', 'a//b', '%01', '%F0%9F%98%80'].filter((one) => storable(decodeURIComponent(one))))
      expect(page.keys).toContain(key)
    const grouped = await list({ ...v, 'encoding-type': 'url', delimiter: '/', prefix: 'quux ' })
    const space = differs('minio', 'it encodes a space as a plus') ? '+' : '%20'
    expect([grouped.prefixes[0], grouped.value('Prefix'), grouped.value('Delimiter')]).toEqual([
      `quux${space}ab/`,
      `quux${space}`,
      '/',
    ])
  })

  test('B85 groups by a delimiter; a prefix counts as one', async () => {
    const page = await list({ ...v, delimiter: '/' })
    const prefixes = ['../', '/', 'a/', 'quux ab/'].filter((prefix) => KEYS.some((key) => key.startsWith(prefix)))
    expect(page.prefixes).toEqual(prefixes)
    expect(page.keys).toEqual(KEYS.filter((key) => !key.includes('/')))
    if (version === 'v2') expect(page.value('KeyCount')).toBe(String(page.keys.length + prefixes.length))
    const below = await list({ ...v, delimiter: '/', prefix: 'a/' })
    expect([below.keys, below.prefixes]).toEqual([
      ['a/', 'a/b'].filter((key) => KEYS.includes(key)),
      ['a//', 'a/b/'].filter((prefix) => KEYS.some((key) => key.startsWith(prefix))),
    ])
  })

  test.each(['b', '+', '%', '\n', 'ü', '//', '\u{1f600}'])('B90 groups by any delimiter: %j', async (delimiter) => {
    const page = await list({ ...v, delimiter })
    const grouped = (key: string): string | undefined =>
      key.includes(delimiter) ? key.slice(0, key.indexOf(delimiter) + delimiter.length) : undefined
    expect(page.keys).toEqual(KEYS.filter((key) => grouped(key) === undefined))
    expect(page.prefixes).toEqual([...new Set(KEYS.map(grouped).filter((one) => one !== undefined))])
  })

  test('B90 with an empty delimiter groups nothing and does not echo it', async () => {
    const page = await list({ ...v, delimiter: '' })
    expect([page.keys, page.value('Delimiter')]).toEqual([KEYS, undefined])
  })

  test('B84 B89 of no keys, of too many, of what is no number and of another encoding', async () => {
    const none = await list({ ...v, 'max-keys': '0' })
    expect([none.keys, none.value('IsTruncated'), none.value('MaxKeys')]).toEqual([[], 'false', '0'])
    const most = differs('minio', 'it echoes counts over 1,000') ? '5000' : '1000'
    expect((await list({ ...v, 'max-keys': '5000' })).value('MaxKeys')).toBe(most)
    const query = version === 'v2' ? 'list-type=2&' : ''
    const huge = differs('minio', 'it takes counts over 2,147,483,647') ? [] : ['2147483648']
    for (const bad of ['-1', 'x', '1.5', ...huge])
      expect(await refused(`${query}max-keys=${bad}`)).toEqual([400, 'InvalidArgument'])
    expect(await refused(`${query}encoding-type=base64`)).toEqual([400, 'InvalidArgument'])
  })

  test('B93 of a bucket that is missing is NoSuchBucket, before anything else about it', async () => {
    const query = version === 'v2' ? 'list-type=2' : ''
    expect(await refused(query, 'no-such-bucket')).toEqual([404, 'NoSuchBucket'])
    const none = differs('minio', 'it looks for no bucket to list nothing of it') ? 'max-keys=1' : 'max-keys=0'
    expect(await refused(`${query}&${none}`, 'no-such-bucket')).toEqual([404, 'NoSuchBucket'])
  })

  test.each([undefined, '/'])(
    'B86 B87 to completion in pages of any size is the whole listing (delimiter %j)',
    async (delimiter) => {
      const options = { ...v, ...(delimiter === undefined ? {} : { delimiter }) }
      const whole = await list(options)
      for (const size of [1, 2, 3, 7]) {
        const names: string[] = []
        let next: Record<string, string> = {}
        for (let rounds = 0; rounds < 100; rounds += 1) {
          const page = await list({ ...options, ...next, 'max-keys': String(size) })
          const found = [...page.keys, ...page.prefixes].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
          expect(found.length).toBeLessThanOrEqual(size)
          names.push(...found)
          if (page.value('IsTruncated') === 'false') break
          expect(found.length).toBe(size)
          const last = found.at(-1) ?? ''
          if (version === 'v1' && !differs('minio', 'it tells a next marker of its own'))
            expect(page.value('NextMarker')).toBe(delimiter === undefined ? undefined : last)
          next =
            version === 'v1' ? { marker: last } : { 'continuation-token': page.value('NextContinuationToken') ?? '' }
        }
        expect(names).toEqual(
          [...whole.keys, ...whole.prefixes].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        )
      }
    },
  )
})

describe('v1 alone', () => {
  test('B86 B91 has owners, and a marker that need not exist', async () => {
    const page = await list({ marker: 'a+' })
    expect(page.keys[0]).toBe('a+b')
    expect(page.value('Marker')).toBe('a+')
    expect(all(page.document, 'Contents').every((one) => one.children.some(({ name }) => name === 'Owner'))).toBe(true)
  })

  test('B88 goes on behind a common prefix, also from a marker inside of it', async () => {
    for (const marker of ['a/', 'a/b']) expect((await list({ delimiter: '/', marker })).prefixes).toEqual(['quux ab/'])
  })
})

describe('v2 alone', () => {
  const v = { 'list-type': '2' }
  test('B91 has owners only where they are asked for', async () => {
    const owners = async (query: Record<string, string>): Promise<boolean> =>
      (await list({ ...v, ...query })).raw.includes('<Owner>')
    expect([
      await owners({}),
      await owners({ 'fetch-owner': 'false' }),
      await owners({ 'fetch-owner': 'true' }),
    ]).toEqual([false, false, true])
  })

  test('B87 a token wins over start-after, and both are echoed', async () => {
    const first = await list({ ...v, 'max-keys': '3' })
    const token = first.value('NextContinuationToken') ?? ''
    const second = await list({ ...v, 'continuation-token': token, 'start-after': 'zzz' })
    expect(second.keys).toEqual(KEYS.slice(3))
    expect([second.value('ContinuationToken'), second.value('StartAfter')]).toEqual([token, 'zzz'])
    const after = await list({ ...v, 'start-after': 'ü' })
    expect(after.keys).toEqual(KEYS.slice(KEYS.indexOf('ü') + 1))
  })

  test.each(['', 'x', '%00', 'eyJhIjoxfQ'])('B87 a token that is none (%j) is InvalidArgument', async (token) => {
    expect(await refused(`list-type=2&continuation-token=${token}`)).toEqual([400, 'InvalidArgument'])
  })

  test('B87 base64 that is no token is InvalidArgument', notOver('minio', 'any base64 is a token'), async () => {
    expect(await refused('list-type=2&continuation-token=AAAA')).toEqual([400, 'InvalidArgument'])
  })

  test('another list-type is InvalidArgument', notOver('minio', 'any type is a version'), async () => {
    expect(await refused('list-type=3')).toEqual([400, 'InvalidArgument'])
  })
})

test('sizes and ETags are those that HEAD gives, for every way to write an object', async () => {
  const s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket: 'facts' }))
  const sizes = [0, 1, 65_535, 65_536, 65_537, 1_048_576, 1_048_577, 5_242_880, 5_300_000]
  for (const size of sizes) await put('facts', `put-${size}`, Buffer.alloc(size, size % 251))
  await send(running, {
    method: 'PUT',
    path: '/facts/chunked',
    body: Buffer.alloc(9_000_000, 3),
    headers: { 'transfer-encoding': 'chunked' },
  })
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'facts', Key: 'parts' }))
  const Parts = []
  for (const [i, size] of [5_242_880, 100].entries()) {
    const part = { Bucket: 'facts', Key: 'parts', UploadId, PartNumber: i + 1, Body: Buffer.alloc(size, i) }
    Parts.push({ PartNumber: i + 1, ETag: (await s3.send(new UploadPartCommand(part))).ETag })
  }
  await s3.send(
    new CompleteMultipartUploadCommand({ Bucket: 'facts', Key: 'parts', UploadId, MultipartUpload: { Parts } }),
  )
  await send(running, { method: 'PUT', path: '/facts/copy', headers: { 'x-amz-copy-source': '/facts/put-65536' } })
  for (const query of [{}, { 'list-type': '2' }] as Record<string, string>[]) {
    const { document } = await list(query, 'facts')
    const contents = all(document, 'Contents')
    expect(contents).toHaveLength(sizes.length + 3)
    for (const one of contents) {
      const key = childText(one, 'Key') ?? ''
      const head = await send(running, { method: 'HEAD', path: `/facts/${key}` })
      expect([key, childText(one, 'Size'), childText(one, 'ETag')]).toEqual([
        key,
        head.headers['content-length'],
        head.headers.etag,
      ])
      expect(childText(one, 'StorageClass')).toBe('STANDARD')
      // Other stores tell milliseconds.
      expect(childText(one, 'LastModified')?.slice(0, 19)).toBe(
        new Date(head.headers['last-modified'] ?? '').toISOString().slice(0, 19),
      )
    }
    const put1 = contents.find((one) => childText(one, 'Key') === 'put-1')
    const md5 = createHash('md5').update(Buffer.alloc(1, 1)).digest('hex')
    expectEtag(running, childText(put1 ?? document, 'ETag'), `"${md5}"`)
  }
})

test(
  'a bucket of random keys: every way of paging gives the same',
  notOver('minio', 'its names are paths'),
  async () => {
    await running.client().send(new CreateBucketCommand({ Bucket: 'random' }))
    const letters = ['a', 'b', '/', '-', 'é', '\u{1f600}', '～', ' ']
    const keys = new Set<string>()
    while (keys.size < 120) {
      const length = 1 + Math.floor(Math.random() * 6)
      keys.add(Array.from({ length }, () => letters[Math.floor(Math.random() * letters.length)]).join(''))
    }
    await Promise.all([...keys].map((key) => put('random', key, Buffer.from('x'))))
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const [delimiter, prefix] of [
      ['', ''],
      ['/', ''],
      ['/', 'a'],
      ['b', ''],
      ['-', 'a/'],
    ] as const) {
      const expected = new Set<string>()
      for (const key of sorted.filter((one) => one.startsWith(prefix))) {
        const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
        expected.add(at < 0 ? key : key.slice(0, at + delimiter.length))
      }
      const size = 1 + Math.floor(Math.random() * 20)
      const names: string[] = []
      let token: string | undefined
      do {
        const more: Record<string, string> = token === undefined ? {} : { 'continuation-token': token }
        const page = await list({ 'list-type': '2', 'max-keys': String(size), delimiter, prefix, ...more }, 'random')
        names.push(...page.keys, ...page.prefixes)
        token = page.value('NextContinuationToken')
      } while (token !== undefined)
      expect(names).toHaveLength(expected.size)
      expect(new Set(names)).toEqual(expected)
    }
  },
)

describe('buckets', () => {
  test('B94 are listed in pages, by prefix and by token', async () => {
    const s3 = running.client()
    for (const Bucket of ['page-a', 'page-b', 'page-c']) await s3.send(new CreateBucketCommand({ Bucket }))
    const page = async (query: string): Promise<{ names: string[]; token: string | undefined }> => {
      const answer = await send(running, { method: 'GET', path: `/?${query}` })
      const document = parseXml(answer.bytes, 100_000)
      const buckets = all(all(document, 'Buckets')[0] ?? document, 'Bucket')
      return {
        names: buckets.map((one) => childText(one, 'Name') ?? ''),
        token: childText(document, 'ContinuationToken'),
      }
    }
    const first = await page('prefix=page-&max-buckets=2')
    expect(first.names).toEqual(['page-a', 'page-b'])
    const second = await page(`prefix=page-&max-buckets=2&continuation-token=${encodeURIComponent(first.token ?? '')}`)
    expect(second).toEqual({ names: ['page-c'], token: undefined })
    for (const bad of ['max-buckets=0', 'max-buckets=10001', 'max-buckets=x', 'continuation-token=zz']) {
      const answer = await send(running, { method: 'GET', path: `/?${bad}` })
      expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidArgument'])
    }
  })
})
