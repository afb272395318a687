/** Requests about uploads at their edges, as they go over the wire (S3 behaviour 72 to 82). */
import { createHash, randomBytes } from 'node:crypto'
import { CreateBucketCommand, DeleteBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { expectEtag } from '../helpers/etags.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, send, type SignedAnswer, signedHeaders } from '../helpers/signed-request.ts'
import { replacing } from '../helpers/replacing.ts'
import { notOver, startTested } from '../helpers/worlds.ts'

const MIB = 1024 * 1024
let running: TestGateway

/** Runs before the store completes an upload. */
let beforeComplete: (() => Promise<void>) | undefined

beforeAll(async () => {
  const between = (inner: ObjectStore): ObjectStore => {
    const completeUpload: ObjectStore['completeUpload'] = async (...args) => {
      await beforeComplete?.()
      return inner.completeUpload(...args)
    }
    return replacing(inner, { completeUpload })
  }
  running = await startTested({ between })
  await running.client().send(new CreateBucketCommand({ Bucket: 'part-edges' }))
})
afterAll(() => running.close())

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
const call = (method: string, target: string, body?: string | Buffer, headers: Record<string, string> = {}) =>
  send(running, {
    method,
    path: `/part-edges/${target}`,
    headers,
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  })
const outcome = (answer: SignedAnswer): [number, string | undefined] => [answer.status, codeOf(answer)]
const valueOf = (answer: SignedAnswer, name: string): string | undefined =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(answer.bytes.toString())?.[1]
const valuesOf = (answer: SignedAnswer, name: string): string[] =>
  [...answer.bytes.toString().matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) => match[1] ?? '')

async function create(key: string, headers: Record<string, string> = {}): Promise<string> {
  return valueOf(await call('POST', `${key}?uploads`, undefined, headers), 'UploadId') ?? ''
}
async function upload(key: string, id: string, n: number, body: Buffer): Promise<string> {
  const answer = await call('PUT', `${key}?partNumber=${n}&uploadId=${id}`, body)
  expect(answer.status).toBe(200)
  expectEtag(running, answer.headers.etag, `"${md5(body)}"`)
  return String(answer.headers.etag).slice(1, -1)
}
const document = (parts: readonly (readonly [number | string, string])[]): string =>
  `<CompleteMultipartUpload>${parts
    .map(([n, etag]) => `<Part><PartNumber>${n}</PartNumber><ETag>${etag}</ETag></Part>`)
    .join('')}</CompleteMultipartUpload>`
const complete = (
  key: string,
  id: string,
  parts: readonly (readonly [number | string, string])[],
  headers: Record<string, string> = {},
) => call('POST', `${key}?uploadId=${id}`, document(parts), headers)

describe('Complete', () => {
  test('B72 tells which part is too small, what it has and what it needs', async () => {
    const id = await create('small')
    const [one, two] = [await upload('small', id, 1, randomBytes(100)), await upload('small', id, 2, randomBytes(5))]
    const answer = await complete('small', id, [
      [1, one],
      [2, two],
    ])
    expect(outcome(answer)).toEqual([400, 'EntityTooSmall'])
    expect(['ProposedSize', 'MinSizeAllowed', 'PartNumber', 'ETag'].map((name) => valueOf(answer, name))).toEqual([
      '100',
      String(5 * MIB),
      '1',
      one,
    ])
  })

  test('B72 refuses lists that are none, out of order, or of unknown parts, and the upload stays', async () => {
    const id = await create('lists')
    const etag = await upload('lists', id, 1, Buffer.from('one'))
    const later = await upload('lists', id, 2, Buffer.from('two'))
    const refused: [string, [number, string]][] = [
      ['', [400, 'MalformedXML']],
      [document([]), [400, 'MalformedXML']],
      ['<CompleteMultipartUpload>', [400, 'MalformedXML']],
      [document([[0, etag]]), [400, 'InvalidArgument']],
      [document([['-1', etag]]), [400, 'InvalidArgument']],
      [document([[10_001, etag]]), [400, 'InvalidArgument']],
      [document([['x', etag]]), [400, 'MalformedXML']],
      [
        document([
          [2, later],
          [1, etag],
        ]),
        [400, 'InvalidPartOrder'],
      ],
      [
        document([
          [1, etag],
          [1, etag],
        ]),
        [400, 'InvalidPartOrder'],
      ],
      [document([[3, etag]]), [400, 'InvalidPart']],
      [document([[1, later]]), [400, 'InvalidPart']],
    ]
    for (const [body, expected] of refused) {
      expect([body, ...outcome(await call('POST', `lists?uploadId=${id}`, body))]).toEqual([body, ...expected])
    }
    expect((await complete('lists', id, [[2, later]])).status).toBe(200)
    expect((await call('GET', 'lists')).bytes.toString()).toBe('two')
  })

  test.each([
    ['quoted', (etag: string) => `"${etag}"`],
    ['bare', (etag: string) => etag],
    ['escaped', (etag: string) => `&quot;${etag}&quot;`],
    ['escaped twice', (etag: string) => `&amp;quot;${etag}&amp;quot;`],
  ])('B73 takes ETags that are %s', async (how, spell) => {
    const key = `etag-${how.replace(' ', '-')}`
    const id = await create(key)
    const etag = await upload(key, id, 1, Buffer.from(how))
    const answer = await complete(key, id, [[1, spell(etag)]])
    expect(answer.status).toBe(200)
    expectEtag(running, valueOf(answer, 'ETag')?.replaceAll('&quot;', '"'), `"${md5(Buffer.from(etag, 'hex'))}-1"`)
  })

  test('B76 repeated gives the same ETag and Location; of an unknown or aborted upload it is NoSuchUpload', async () => {
    const id = await create('twice')
    const etag = await upload('twice', id, 1, Buffer.from('twice'))
    const answers = [await complete('twice', id, [[1, etag]]), await complete('twice', id, [[1, etag]])]
    for (const name of ['ETag', 'Location', 'Key']) {
      expect(valueOf(answers[1]!, name)).toBe(valueOf(answers[0]!, name))
      expect(valueOf(answers[0]!, name)).toBeDefined()
    }
    expect(outcome(await complete('twice', 'unknown', [[1, etag]]))).toEqual([404, 'NoSuchUpload'])
    const aborted = await create('aborted')
    const part = await upload('aborted', aborted, 1, Buffer.from('x'))
    expect((await call('DELETE', `aborted?uploadId=${aborted}`)).status).toBe(204)
    expect(outcome(await complete('aborted', aborted, [[1, part]]))).toEqual([404, 'NoSuchUpload'])
    // An upload belongs to its key.
    const other = await create('mine')
    expect(outcome(await complete('yours', other, [[1, part]]))).toEqual([404, 'NoSuchUpload'])
  })

  test('B77 compares x-amz-mp-object-size with the plaintext', async () => {
    const id = await create('sized')
    const etag = await upload('sized', id, 1, randomBytes(1_000))
    for (const size of ['999', '-1', '1e3', '1336', 'x']) {
      const answer = await complete('sized', id, [[1, etag]], { 'x-amz-mp-object-size': size })
      expect([size, ...outcome(answer)]).toEqual([size, 400, 'InvalidRequest'])
    }
    expect((await complete('sized', id, [[1, etag]], { 'x-amz-mp-object-size': '1000' })).status).toBe(200)
  })

  test('B78 of no part is refused, of one empty part makes an empty object', async () => {
    const id = await create('nothing')
    expect(outcome(await complete('nothing', id, []))).toEqual([400, 'MalformedXML'])
    expect(outcome(await complete('nothing', id, [[1, md5(Buffer.alloc(0))]]))).toEqual([400, 'InvalidPart'])
    const etag = await upload('nothing', id, 1, Buffer.alloc(0))
    expect((await complete('nothing', id, [[1, etag]])).status).toBe(200)
    const head = await call('HEAD', 'nothing')
    expect(head.headers['content-length']).toBe('0')
    expectEtag(running, head.headers.etag, `"${md5(Buffer.from(etag, 'hex'))}-1"`)
    const part = await call('GET', 'nothing?partNumber=1')
    expect([part.bytes.length, part.headers['content-range'], part.headers['x-amz-mp-parts-count']]).toEqual([
      0,
      undefined,
      '1',
    ])
  })

  test('B81 keeps what Create said, and nothing that Complete says', async () => {
    const said = {
      'x-amz-meta-said': 'at the start',
      'content-type': 'a/b',
      'x-amz-website-redirect-location': '/there',
    }
    const id = await create('fixed', said)
    const etag = await upload('fixed', id, 1, Buffer.from('fixed'))
    await complete('fixed', id, [[1, etag]], { 'x-amz-meta-said': 'at the end', 'content-type': 'text/xml' })
    expect((await call('HEAD', 'fixed')).headers).toMatchObject(said)
  })
})

test('B65 a Complete that takes long keeps the connection alive, then tells its result or its error in the 200', async () => {
  for (const fails of [false, true]) {
    const key = `slow-${fails}`
    const id = await create(key)
    const etag = await upload(key, id, 1, Buffer.from('slow'))
    let go = (): void => undefined
    const started = new Promise<void>((begun) => {
      beforeComplete = async () => {
        begun()
        await new Promise<void>((resolve) => (go = resolve))
        if (fails) throw new Error('a bug of the store')
      }
    })
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] })
    try {
      const answer = complete(key, id, [[1, etag]])
      await started
      await vi.advanceTimersByTimeAsync(20_002)
      go()
      vi.useRealTimers()
      const { status, bytes } = await answer
      expect(status).toBe(200)
      const root = fails ? 'Error><Code>InternalError</Code' : 'CompleteMultipartUploadResult'
      expect(bytes.toString()).toMatch(new RegExp(`^<\\?xml version="1.0" encoding="UTF-8"\\?>\n +<${root}`))
    } finally {
      vi.useRealTimers()
      beforeComplete = undefined
    }
    expect((await call('HEAD', key)).status).toBe(fails ? 404 : 200)
  }
})

describe('Parts', () => {
  test.each(['0', '10001', '-1', 'x', '1.5', ''])('B75 the number %j is InvalidArgument', async (n) => {
    const id = await create('numbers')
    const path = `numbers?partNumber=${n}&uploadId=${id}`
    expect(outcome(await call('PUT', path, 'x'))).toEqual([400, 'InvalidArgument'])
    const copied = await call('PUT', path, undefined, { 'x-amz-copy-source': '/part-edges/lists' })
    expect(outcome(copied)).toEqual([400, 'InvalidArgument'])
  })

  test('B75 of two attempts the one that finished last counts, whichever began first', async () => {
    const id = await create('attempts')
    const path = `/part-edges/attempts?partNumber=1&uploadId=${id}`
    const early = await RawConnection.open(running.port)
    const body = Buffer.from('began first')
    early.write(head('PUT', path, signedHeaders(running, { method: 'PUT', path, body })))
    early.write(body.subarray(0, 5))
    const between = await upload('attempts', id, 1, Buffer.from('began and finished'))
    early.write(body.subarray(5))
    const answer = await early.answer()
    expect(answer?.status).toBe(200)
    early.close()
    expect(outcome(await complete('attempts', id, [[1, between]]))).toEqual([400, 'InvalidPart'])
    const last = answer?.headers.get('etag') ?? ''
    expect((await complete('attempts', id, [[1, last]])).status).toBe(200)
    expect((await call('GET', 'attempts')).bytes.toString()).toBe('began first')
  })

  test('B79 are listed in pages: 1,000 at most, from a marker; what is no count is refused', async () => {
    const id = await create('listed')
    for (const n of [1, 5, 9_999]) await upload('listed', id, n, Buffer.from(`part ${n}`))
    const page = (query: string) => call('GET', `listed?uploadId=${id}${query}`)
    const whole = await page('')
    expect(valuesOf(whole, 'PartNumber')).toEqual(['1', '5', '9999'])
    expect(['MaxParts', 'IsTruncated', 'PartNumberMarker'].map((name) => valueOf(whole, name))).toEqual([
      '1000',
      'false',
      '0',
    ])
    const first = await page('&max-parts=2')
    expect([
      valuesOf(first, 'PartNumber'),
      valueOf(first, 'IsTruncated'),
      valueOf(first, 'NextPartNumberMarker'),
    ]).toEqual([['1', '5'], 'true', '5'])
    const rest = await page('&max-parts=2&part-number-marker=5')
    expect([valuesOf(rest, 'PartNumber'), valueOf(rest, 'IsTruncated')]).toEqual([['9999'], 'false'])
    expect(valueOf(await page('&max-parts=5000'), 'MaxParts')).toBe('1000')
    expect(valuesOf(await page('&max-parts=0'), 'PartNumber')).toEqual([])
    for (const bad of [
      'max-parts=-1',
      'max-parts=x',
      'part-number-marker=-1',
      'part-number-marker=x',
      'encoding-type=x',
    ])
      expect([bad, ...outcome(await page(`&${bad}`))]).toEqual([bad, 400, 'InvalidArgument'])
    expect(outcome(await call('GET', 'listed?uploadId=unknown'))).toEqual([404, 'NoSuchUpload'])
  })
})

describe('Uploads in progress', () => {
  test(
    'B80 are in order of key and start; markers, pages and prefixes; what is none is refused',
    notOver('minio', 'it lists uploads by the whole name of their object alone'),
    async () => {
      const ids: Record<string, string[]> = {}
      for (const key of ['l/b', 'l/a', 'l/a', 'l/c/1', 'l/c/2', 'l/ü'])
        (ids[key] ??= []).push(await create(encodeURI(key)))
      const page = (query: string) => send(running, { method: 'GET', path: `/part-edges?uploads&prefix=l/&${query}` })
      const whole = await page('')
      expect(valuesOf(whole, 'Key')).toEqual(['l/a', 'l/a', 'l/b', 'l/c/1', 'l/c/2', 'l/ü'])
      expect(valuesOf(whole, 'UploadId').slice(0, 2)).toEqual(ids['l/a'])
      expect([valueOf(whole, 'MaxUploads'), valueOf(whole, 'IsTruncated')]).toEqual(['1000', 'false'])
      expect(valuesOf(await page('encoding-type=url'), 'Key').at(-1)).toBe('l/%C3%BC')
      const grouped = await page('delimiter=/')
      expect([valuesOf(grouped, 'Key'), valuesOf(grouped, 'Prefix')]).toEqual([
        ['l/a', 'l/a', 'l/b', 'l/ü'],
        ['l/', 'l/c/'],
      ])
      // One by one, by both markers, and by the key alone.
      const seen: string[] = []
      let markers = ''
      for (let rounds = 0; rounds < 10; rounds += 1) {
        const one = await page(`max-uploads=1${markers}`)
        seen.push(...valuesOf(one, 'Key'))
        if (valueOf(one, 'IsTruncated') === 'false') break
        const key = encodeURIComponent(valueOf(one, 'NextKeyMarker') ?? '')
        markers = `&key-marker=${key}&upload-id-marker=${valueOf(one, 'NextUploadIdMarker')}`
      }
      expect(seen).toEqual(valuesOf(whole, 'Key'))
      expect(valuesOf(await page('key-marker=l/a'), 'Key')[0]).toBe('l/b')
      // Without a key marker that of the upload means nothing; beside one it must be one.
      expect(valuesOf(await page('upload-id-marker=none'), 'Key')).toEqual(valuesOf(whole, 'Key'))
      expect(outcome(await page('key-marker=l/a&upload-id-marker=none'))).toEqual([400, 'InvalidArgument'])
      for (const bad of ['max-uploads=-1', 'max-uploads=x', 'encoding-type=x'])
        expect([bad, ...outcome(await page(bad))]).toEqual([bad, 400, 'InvalidArgument'])
      expect(valueOf(await page('max-uploads=5000'), 'MaxUploads')).toBe('1000')
      expect(outcome(await call('GET', 'l/a?uploads'))).toEqual([400, 'InvalidRequest'])
    },
  )

  test('B82 are in no listing of objects, and do not keep a bucket from being deleted', async () => {
    const s3 = running.client()
    await s3.send(new CreateBucketCommand({ Bucket: 'pending' }))
    const created = await send(running, { method: 'POST', path: '/pending/open?uploads' })
    const id = valueOf(created, 'UploadId')
    await send(running, {
      method: 'PUT',
      path: `/pending/open?partNumber=1&uploadId=${id}`,
      body: randomBytes(6 * MIB),
    })
    for (const query of ['', 'list-type=2']) {
      expect(valuesOf(await send(running, { method: 'GET', path: `/pending?${query}` }), 'Key')).toEqual([])
    }
    expect((await send(running, { method: 'HEAD', path: '/pending/open' })).status).toBe(404)
    await s3.send(new DeleteBucketCommand({ Bucket: 'pending' }))
    expect((await send(running, { method: 'HEAD', path: '/pending' })).status).toBe(404)
  })
})
