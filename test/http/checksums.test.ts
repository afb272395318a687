/** The ten checksum algorithms of S3 by every way that a checksum can go (S3 behaviour 36 to 40). */
import { createHash, randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { createXXHash128, createXXHash3, createXXHash64 } from 'hash-wasm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CHECKSUMS, type ChecksumName, checksumOf, newHasher } from '../../src/s3/checksum.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { codeOf, send, type SignedAnswer } from '../helpers/signed-request.ts'
import { startTested } from '../helpers/worlds.ts'

const MIB = 1024 * 1024
const Bucket = 'checksums'
const NAMES = Object.keys(CHECKSUMS) as ChecksumName[]
const CRCS: readonly ChecksumName[] = ['CRC32', 'CRC32C', 'CRC64NVME']
let running: TestGateway

beforeAll(async () => {
  running = await startTested()
  await running.client().send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

const headerOf = (name: ChecksumName): string => `x-amz-checksum-${name.toLowerCase()}`
const base64 = (name: ChecksumName, bytes: Buffer): string => checksumOf(name, bytes).toString('base64')
const MODE = { 'x-amz-checksum-mode': 'ENABLED' }
/** What an answer says of checksums. */
const told = ({ headers }: SignedAnswer, name: ChecksumName): unknown[] => [
  headers[headerOf(name)],
  headers['x-amz-checksum-type'],
]

function put(key: string, body: Buffer, headers: Record<string, string>): Promise<SignedAnswer> {
  return send(running, { method: 'PUT', path: `/${Bucket}/${key}`, body, headers })
}

function trailed(path: string, body: Buffer, name: ChecksumName, value: string): Promise<SignedAnswer> {
  const frame = body.length === 0 ? '' : `${body.length.toString(16)}\r\n`
  const wire = Buffer.concat([
    Buffer.from(frame),
    body,
    Buffer.from(`${frame === '' ? '' : '\r\n'}0\r\n${headerOf(name)}:${value}\r\n\r\n`),
  ])
  return send(running, {
    method: 'PUT',
    path,
    body: wire,
    headers: {
      'x-amz-decoded-content-length': String(body.length),
      'x-amz-trailer': headerOf(name),
      'content-encoding': 'aws-chunked',
    },
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  })
}

test('values are those that other implementations compute', async () => {
  const bytes = randomBytes(100_001)
  for (const [name, algorithm] of [
    ['MD5', 'md5'],
    ['SHA1', 'sha1'],
    ['SHA256', 'sha256'],
    ['SHA512', 'sha512'],
  ] as const) {
    expect(checksumOf(name, bytes)).toEqual(createHash(algorithm).update(bytes).digest())
  }
  for (const [name, make] of [
    ['XXHASH64', createXXHash64],
    ['XXHASH3', createXXHash3],
    ['XXHASH128', createXXHash128],
  ] as const) {
    expect(checksumOf(name, bytes).toString('hex')).toBe((await make()).init().update(bytes).digest('hex'))
  }
})

describe.each(NAMES)('%s', (name) => {
  describe.each([0, 1_000, 2 * MIB])('of an object of %i bytes', (size) => {
    const body = randomBytes(size)

    test.each(['header', 'trailer'] as const)('B37 in a %s is kept, and told where it is asked for', async (where) => {
      const key = `${name}/${size}/${where}`
      const path = `/${Bucket}/${key}`
      const value = base64(name, body)
      const answer =
        where === 'header'
          ? await put(key, body, { [headerOf(name)]: value, 'x-amz-sdk-checksum-algorithm': name })
          : await trailed(path, body, name, value)
      expect([answer.status, ...told(answer, name)]).toEqual([200, value, 'FULL_OBJECT'])
      for (const method of ['GET', 'HEAD']) {
        const asked = await send(running, { method, path, headers: MODE })
        expect(told(asked, name)).toEqual([value, 'FULL_OBJECT'])
        expect(told(await send(running, { method, path }), name)).toEqual([undefined, undefined])
        if (size === 0) continue
        const ranged = await send(running, { method, path, headers: { ...MODE, range: 'bytes=0-9' } })
        expect([ranged.status, ...told(ranged, name)]).toEqual([206, undefined, undefined])
      }
    })

    test.each(['header', 'trailer'] as const)(
      'B39 in a %s that is another is BadDigest, and nothing exists',
      async (where) => {
        const key = `${name}/${size}/wrong-${where}`
        const value = base64(name, Buffer.concat([body, Buffer.from('x')]))
        const path = `/${Bucket}/${key}`
        const answer =
          where === 'header'
            ? await put(key, body, { [headerOf(name)]: value })
            : await trailed(path, body, name, value)
        expect([answer.status, codeOf(answer)]).toEqual([400, 'BadDigest'])
        expect((await send(running, { method: 'HEAD', path })).status).toBe(404)
      },
    )
  })

  test('B36 of the wrong length is InvalidRequest', async () => {
    const value = Buffer.alloc(CHECKSUMS[name].bytes + 1).toString('base64')
    expect(codeOf(await put('short', Buffer.from('x'), { [headerOf(name)]: value }))).toBe('InvalidRequest')
    expect(codeOf(await trailed(`/${Bucket}/short`, Buffer.from('x'), name, value))).toBe('InvalidRequest')
  })

  test('is computed by a copy that asks for it, listed with the object, and kept by a copy that does not', async () => {
    const body = randomBytes(3_000)
    await put(`${name}-source`, body, { 'x-amz-checksum-crc32': base64('CRC32', body) })
    const copy = await send(running, {
      method: 'PUT',
      path: `/${Bucket}/${name}-copy`,
      headers: { 'x-amz-copy-source': `${Bucket}/${name}-source`, 'x-amz-checksum-algorithm': name },
    })
    const element = `<Checksum${name}>${base64(name, body)}</Checksum${name}><ChecksumType>FULL_OBJECT</ChecksumType>`
    expect(copy.bytes.toString()).toContain(element)
    const again = await send(running, {
      method: 'PUT',
      path: `/${Bucket}/${name}-again`,
      headers: { 'x-amz-copy-source': `${Bucket}/${name}-copy` },
    })
    expect(again.bytes.toString()).toContain(element)
    const head = await send(running, { method: 'HEAD', path: `/${Bucket}/${name}-again`, headers: MODE })
    expect(told(head, name)).toEqual([base64(name, body), 'FULL_OBJECT'])
    // Listings of other stores tell nothing that the gateway keeps.
    if (!running.store.capabilities.facts) return
    const { Contents } = await running.client().send(new ListObjectsV2Command({ Bucket, Prefix: `${name}-again` }))
    expect(Contents?.[0]).toMatchObject({ ChecksumAlgorithm: [name], ChecksumType: 'FULL_OBJECT' })
  })
})

const TYPES = NAMES.flatMap((name) => CHECKSUMS[name].types.map((type) => ({ name, type })))
/** As S3 computes it, from the parts. */
function expected(name: ChecksumName, type: string, parts: readonly Buffer[]): Buffer {
  const hasher = newHasher(name)
  for (const part of parts) hasher.update(type === 'COMPOSITE' ? checksumOf(name, part) : part)
  return hasher.digest()
}

describe.each(TYPES)('$name $type of an upload', ({ name, type }) => {
  const parts = [randomBytes(5 * MIB), randomBytes(1_234)]
  const Key = `upload/${name}/${type}`
  const path = `/${Bucket}/${Key}`
  let uploadId = ''
  let etags: (string | undefined)[] = []

  const create = async (): Promise<string> => {
    const answer = await send(running, {
      method: 'POST',
      path: `${path}?uploads`,
      headers: { 'x-amz-checksum-algorithm': name, 'x-amz-checksum-type': type },
    })
    expect([answer.headers['x-amz-checksum-algorithm'], answer.headers['x-amz-checksum-type']]).toEqual([name, type])
    return /<UploadId>(.*)<\/UploadId>/.exec(answer.bytes.toString())![1]!
  }
  const partPath = (n: number): string => `${path}?partNumber=${n}&uploadId=${uploadId}`
  const complete = (more: object = {}, withChecksums = true) =>
    running.client().send(
      new CompleteMultipartUploadCommand({
        Bucket,
        Key,
        UploadId: uploadId,
        MultipartUpload: {
          Parts: parts.map((part, i) => ({
            PartNumber: i + 1,
            ETag: etags[i],
            ...(withChecksums ? { [`Checksum${name}`]: base64(name, part) } : {}),
          })),
        },
        ...more,
      }),
    )

  test('parts carry it in a header or a trailer; one that is another is BadDigest', async () => {
    uploadId = await create()
    const [first, second] = parts as [Buffer, Buffer]
    const wrong = base64(name, Buffer.from('other'))
    expect(codeOf(await trailed(partPath(1), first, name, wrong))).toBe('BadDigest')
    const one = await send(running, {
      method: 'PUT',
      path: partPath(1),
      body: first,
      headers: { [headerOf(name)]: base64(name, first) },
    })
    const two = await trailed(partPath(2), second, name, base64(name, second))
    etags = [one, two].map((answer) => answer.headers.etag)
    expect([one, two].map((answer) => answer.headers[headerOf(name)])).toEqual(parts.map((part) => base64(name, part)))
    // The type is the upload's: S3 names none with a part.
    expect([one, two].map((answer) => answer.headers['x-amz-checksum-type'])).toEqual([undefined, undefined])
    const other = name === 'SHA1' ? 'SHA256' : 'SHA1'
    const mismatch = await send(running, {
      method: 'PUT',
      path: partPath(2),
      body: second,
      headers: { [headerOf(other)]: base64(other, second) },
    })
    expect([codeOf(mismatch), mismatch.bytes.toString()]).toEqual([
      'InvalidRequest',
      expect.stringContaining(
        `expected checksum Type: ${name.toLowerCase()}, actual checksum Type: ${other.toLowerCase()}`,
      ),
    ])
    const list = await send(running, { method: 'GET', path: `${path}?uploadId=${uploadId}` })
    expect(list.bytes.toString()).toContain(`<Checksum${name}>${base64(name, first)}</Checksum${name}>`)
    expect(list.bytes.toString()).toContain(
      `<ChecksumAlgorithm>${name}</ChecksumAlgorithm><ChecksumType>${type}</ChecksumType>`,
    )
  })

  test('B39 a composite one needs that of each part, in the part and in the Complete', async () => {
    const silent = await send(running, { method: 'PUT', path: partPath(2), body: parts[1]! })
    if (type === 'FULL_OBJECT') {
      expect([silent.status, silent.headers[headerOf(name)]]).toEqual([200, base64(name, parts[1]!)])
      etags[1] = silent.headers.etag
      return
    }
    expect([codeOf(silent), silent.bytes.toString()]).toEqual([
      'InvalidRequest',
      expect.stringContaining('actual checksum Type: null'),
    ])
    await expect(complete({}, false)).rejects.toMatchObject({ name: 'InvalidRequest' })
  })

  test('B38 another type, B39 another value and a wrong part are refused; B76 the right one is accepted, repeated, kept and told', async () => {
    const value = expected(name, type, parts)
    const text = `${value.toString('base64')}${type === 'COMPOSITE' ? '-2' : ''}`
    const field = `Checksum${name}`
    const wrong = { [field]: expected(name, type, [...parts].reverse()).toString('base64') }
    await expect(complete({ ChecksumType: type, ...wrong })).rejects.toMatchObject({ name: 'BadDigest' })
    const otherType = type === 'COMPOSITE' ? 'FULL_OBJECT' : 'COMPOSITE'
    await expect(complete({ ChecksumType: otherType })).rejects.toMatchObject({ name: 'InvalidRequest' })
    for (let times = 0; times < 2; times += 1) {
      const done = await complete({ ChecksumType: type, [field]: text })
      expect(done).toMatchObject({ [field]: text, ChecksumType: type })
    }
    for (const method of ['GET', 'HEAD']) {
      expect(told(await send(running, { method, path, headers: MODE }), name)).toEqual([text, type])
    }
  })

  test('B45 a part that is read by its number has its own, where the object’s is composed of them', async () => {
    for (const [i, part] of parts.entries()) {
      const answer = await send(running, { method: 'GET', path: `${path}?partNumber=${i + 1}`, headers: MODE })
      expect(answer.bytes.equals(part)).toBe(true)
      const own = type === 'COMPOSITE' ? [base64(name, part), 'COMPOSITE'] : [undefined, undefined]
      expect(told(answer, name)).toEqual(own)
    }
  })

  test('B55 GetObjectAttributes tells it without a number of parts, and of a composite one that of each part', async () => {
    const { Checksum, ObjectParts } = await running
      .client()
      .send(new GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes: ['Checksum', 'ObjectParts'] }))
    expect(Checksum).toEqual({
      [`Checksum${name}`]: expected(name, type, parts).toString('base64'),
      ChecksumType: type,
    })
    const listed = parts.map((part, i) => ({
      PartNumber: i + 1,
      Size: part.length,
      [`Checksum${name}`]: base64(name, part),
    }))
    if (type === 'FULL_OBJECT') expect(ObjectParts).toEqual({ TotalPartsCount: 2 })
    else expect(ObjectParts).toMatchObject({ TotalPartsCount: 2, IsTruncated: false, MaxParts: 1000, Parts: listed })
  })
})

test('B38 pairs of algorithm and type that S3 does not have are InvalidRequest', async () => {
  for (const name of NAMES) {
    for (const type of ['COMPOSITE', 'FULL_OBJECT'] as const) {
      if (CHECKSUMS[name].types.includes(type)) continue
      const answer = await send(running, {
        method: 'POST',
        path: `/${Bucket}/pairs?uploads`,
        headers: { 'x-amz-checksum-algorithm': name, 'x-amz-checksum-type': type },
      })
      expect([answer.status, codeOf(answer), answer.bytes.toString()]).toEqual([
        400,
        'InvalidRequest',
        expect.stringContaining(
          `The ${type} checksum type cannot be used with the ${name.toLowerCase()} checksum algorithm.`,
        ),
      ])
    }
  }
  for (const name of NAMES) expect(CHECKSUMS[name].types.includes('FULL_OBJECT')).toBe(CRCS.includes(name))
  const typeAlone = { 'x-amz-checksum-type': 'COMPOSITE' }
  const alone = await send(running, { method: 'POST', path: `/${Bucket}/pairs?uploads`, headers: typeAlone })
  expect([alone.status, codeOf(alone)]).toEqual([400, 'InvalidRequest'])
})

test('B38 where no type is named an upload is COMPOSITE, if its algorithm can be', async () => {
  for (const name of NAMES) {
    const headers = { 'x-amz-checksum-algorithm': name }
    const { headers: told } = await send(running, { method: 'POST', path: `/${Bucket}/default?uploads`, headers })
    expect([name, told['x-amz-checksum-type']]).toEqual([name, name === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE'])
  }
})

test('B36 an algorithm without a value, two values, and an unknown one are InvalidRequest', async () => {
  const body = Buffer.from('said')
  const cases: Record<string, string>[] = [
    { 'x-amz-sdk-checksum-algorithm': 'XXHASH3' },
    { [headerOf('CRC32')]: base64('CRC32', body), [headerOf('MD5')]: base64('MD5', body) },
    { 'x-amz-sdk-checksum-algorithm': 'CRC16' },
    { 'x-amz-sdk-checksum-algorithm': 'SHA1', [headerOf('CRC32')]: base64('CRC32', body) },
  ]
  for (const headers of cases) {
    const answer = await put('said', body, headers)
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidRequest'])
  }
  expect((await put('said', body, cases[1]!)).bytes.toString()).toContain('Expecting a single x-amz-checksum- header')
  const unknown = await put('said', body, cases[2]!)
  for (const name of NAMES) expect(unknown.bytes.toString()).toContain(name)
})

test('B37 without a checksum from the client a CRC64NVME is kept, which the SDK verifies', async () => {
  const body = randomBytes(4_000)
  const answer = await put('default', body, {})
  expect(told(answer, 'CRC64NVME')).toEqual([base64('CRC64NVME', body), 'FULL_OBJECT'])
  const got = await running.client().send(new GetObjectCommand({ Bucket, Key: 'default', ChecksumMode: 'ENABLED' }))
  expect(got.ChecksumCRC64NVME).toBe(base64('CRC64NVME', body))
  expect(Buffer.from(await got.Body!.transformToByteArray()).equals(body)).toBe(true)
})

test('B37 an upload without an algorithm has the CRC64NVME of the whole, where settings want one of every body', async () => {
  const always = await startGateway({ checksums: { default: 'always', onGet: 'always' } })
  try {
    const s3 = always.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
    await s3.send(new CreateBucketCommand({ Bucket }))
    const whole = randomBytes(5 * MIB + 777)
    const Key = 'default-upload'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const Parts: { PartNumber: number; ETag: string | undefined }[] = []
    for (const [i, Body] of [whole.subarray(0, 5 * MIB), whole.subarray(5 * MIB)].entries()) {
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: i + 1, Body }))
      Parts.push({ PartNumber: i + 1, ETag })
    }
    const complete = (ChecksumCRC64NVME: string) =>
      s3.send(
        new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ChecksumCRC64NVME }),
      )
    await expect(complete('AAAAAAAAAAA=')).rejects.toMatchObject({ name: 'BadDigest' })
    const value = base64('CRC64NVME', whole)
    expect(await complete(value)).toMatchObject({ ChecksumCRC64NVME: value, ChecksumType: 'FULL_OBJECT' })
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }))
    expect(head).toMatchObject({ ChecksumCRC64NVME: value, ChecksumType: 'FULL_OBJECT' })
  } finally {
    await always.close()
  }
})

test('B40 no checksum of the plaintext goes to a store; what goes there is of the ciphertext', async () => {
  const backend = await startGateway()
  const sent: Record<string, string>[] = []
  const profile = { checksum: 'crc32' } as const
  const store = s3Store({ endpoint: backend.endpoint, profile, onSend: ({ headers }) => sent.push({ ...headers }) })
  const before = await startGateway({ store })
  try {
    await before.client().send(new CreateBucketCommand({ Bucket }))
    for (const [i, body] of [Buffer.from('small'), randomBytes(2 * MIB)].entries()) {
      const path = `/${Bucket}/sent-${i}`
      const digests = { 'content-md5': base64('MD5', body), [headerOf('SHA256')]: base64('SHA256', body) }
      sent.length = 0
      expect((await send(before, { method: 'PUT', path, body, headers: digests })).status).toBe(200)
      expect(sent.length).toBeGreaterThan(0)
      const values = sent.flatMap((headers) => Object.values(headers))
      const plain = NAMES.flatMap((name) => [base64(name, body), checksumOf(name, body).toString('hex')])
      expect(values.filter((value) => plain.includes(value))).toEqual([])
      // Gathered bodies carry it in a header, streamed ones announce a trailer.
      expect(sent.some((headers) => Object.keys(headers).some((name) => /^x-amz-(checksum-|trailer)/.test(name)))).toBe(
        true,
      )
    }
  } finally {
    await before.close()
    await store.close()
    await backend.close()
  }
})
