import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChunkSigner } from '../../src/s3/auth/chunk-signer.ts'
import { scopeOf } from '../../src/s3/auth/scope.ts'
import { signingKey } from '../../src/s3/auth/signing-key.ts'
import { AwsChunkedDecoder, chunkedDecoder, MAX_LINE_BYTES } from '../../src/s3/aws-chunked.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { Headers } from '../../src/s3/headers.ts'
import { answer, refusal } from './auth/fixtures.ts'

type Form = 'signed' | 'signed-trailer' | 'unsigned-trailer'
const FORMS: Form[] = ['signed', 'signed-trailer', 'unsigned-trailer']
const TRAILER = 'x-amz-checksum-crc32'

const signer = (): ChunkSigner =>
  new ChunkSigner({
    accessKey: 'AKID',
    key: signingKey('secret', '20130524', 'us-east-1', 's3'),
    amzDate: '20130524T000000Z',
    scope: scopeOf('20130524', 'us-east-1', 's3'),
    seed: '00'.repeat(32),
  })

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex')

interface Frame {
  form: Form
  chunks: Buffer[]
  value?: string
}

/** The body a client would send. */
function frame({ form, chunks, value = 'AAAAAA==' }: Frame): Buffer {
  const chain = signer()
  const head = (data: Buffer): string => {
    const size = data.length.toString(16)
    return form === 'unsigned-trailer' ? `${size}\r\n` : `${size};chunk-signature=${chain.sign(sha256(data))}\r\n`
  }
  const parts = chunks.flatMap((data) => [Buffer.from(head(data)), data, Buffer.from('\r\n')])
  parts.push(Buffer.from(head(Buffer.alloc(0))))
  if (form !== 'signed') parts.push(Buffer.from(`${TRAILER}:${value}\r\n`))
  if (form === 'signed-trailer') {
    const signature = chain.signTrailer(sha256(`${TRAILER}:${value}\n`))
    parts.push(Buffer.from(`x-amz-trailer-signature:${signature}\r\n`))
  }
  return Buffer.concat([...parts, Buffer.from('\r\n')])
}

const decoderFor = (form: Form, decodedLength: number): AwsChunkedDecoder =>
  new AwsChunkedDecoder({
    ...(form === 'unsigned-trailer' ? {} : { signer: signer() }),
    trailers: form === 'signed' ? [] : [TRAILER],
    decodedLength,
  })

/** Feeds a body in pieces of the given sizes, over and over. */
function decode(form: Form, body: Buffer, length: number, sizes: number[] = [body.length]) {
  const decoder = decoderFor(form, length)
  const out: Buffer[] = []
  for (let at = 0, i = 0; at < body.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1)
    out.push(...decoder.push(body.subarray(at, at + size)))
    at += size
  }
  return { data: Buffer.concat(out), trailers: decoder.end().trailers }
}

const text = (form: Form, body: string, length: number) => decode(form, Buffer.from(body, 'latin1'), length)
const trailersOf = (form: Form) => (form === 'signed' ? {} : { [TRAILER]: 'AAAAAA==' })
const pattern = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7) % 251))

const DATA = pattern(20_000)
const CHUNKS = [DATA.subarray(0, 8192), DATA.subarray(8192, 19_000), DATA.subarray(19_000)]

describe.each(FORMS)('The %s form', (form) => {
  const body = frame({ form, chunks: CHUNKS })

  test.each([
    ['whole', [body.length]],
    ['byte by byte', [1]],
    ['in odd pieces', [3, 1, 17, 8191, 2, 64]],
  ])('decodes %s', (_, sizes) => {
    expect(decode(form, body, DATA.length, sizes)).toEqual({ data: DATA, trailers: trailersOf(form) })
  })

  test('decodes any chunks in any pieces', () => {
    const sizes = fc.array(fc.integer({ min: 8192, max: 30_000 }), { maxLength: 3 })
    const pieces = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 100 }), pieces, (bytes, last, cut) => {
        const chunks = [...bytes, last].map(pattern)
        const data = Buffer.concat(chunks)
        expect(decode(form, frame({ form, chunks }), data.length, cut).data.equals(data)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  test('decodes an empty object', () => {
    const empty = frame({ form, chunks: [] })
    expect(decode(form, empty, 0)).toEqual({ data: Buffer.alloc(0), trailers: trailersOf(form) })
  })

  test('gives views of what it was fed, not copies', () => {
    const out = decoderFor(form, DATA.length).push(body)
    expect(out).toHaveLength(3)
    for (const piece of out) expect(piece.buffer).toBe(body.buffer)
  })

  test('B34: refuses more or fewer bytes than x-amz-decoded-content-length as 400 IncompleteBody', () => {
    for (const length of [0, DATA.length - 1, DATA.length + 1]) {
      expect(answer(() => decode(form, body, length))).toEqual({ status: 400, code: 'IncompleteBody', extra: {} })
    }
  })

  test('refuses a body cut off anywhere', () => {
    const small = frame({ form, chunks: [DATA.subarray(0, 5)] })
    for (let end = 0; end < small.length; end++) {
      const { code, status } = refusal(() => decode(form, small.subarray(0, end), 5))
      expect(status).toBe(400)
      expect(['IncompleteBody', 'MalformedTrailerError']).toContain(code)
    }
  })

  test('refuses anything after the end', () => {
    for (const more of ['\r\n', '0', `0\r\n\r\n`]) {
      const longer = Buffer.concat([body, Buffer.from(more)])
      expect(answer(() => decode(form, longer, DATA.length))).toMatchObject({ status: 400, code: 'InvalidRequest' })
      expect(refusal(() => decode(form, longer, DATA.length, [1])).code).toBe('InvalidRequest')
    }
  })

  test('B31: refuses a chunk below 8192 bytes that is not the last with its number and size', () => {
    const chunks = [DATA.subarray(0, 8192), DATA.subarray(8192, 8200), DATA.subarray(8200)]
    expect(answer(() => decode(form, frame({ form, chunks }), DATA.length))).toEqual({
      status: 400,
      code: 'InvalidChunkSizeError',
      extra: { Chunk: '2', BadChunkSize: '8' },
    })
  })

  test('cannot be used after a refusal', () => {
    const decoder = decoderFor(form, 5)
    expect(refusal(() => decoder.push(Buffer.from('nonsense\r\n'))).code).toBe('IncompleteBody')
    expect(() => decoder.push(frame({ form, chunks: [DATA.subarray(0, 5)] }))).toThrow('refused')
    expect(() => decoder.end()).toThrow('refused')
  })
})

/** True if the body was accepted with this very data and these trailers. */
function accepts(form: Form, body: Buffer, data: Buffer): boolean {
  try {
    const result = decode(form, body, data.length)
    return result.data.equals(data) && Object.keys(result.trailers).length === (form === 'signed' ? 0 : 1)
  } catch (error) {
    if (error instanceof S3Error) return false
    throw error
  }
}

describe.each(['signed', 'signed-trailer'] as const)('B30: the %s form', (form) => {
  const chunks = [DATA.subarray(0, 8192), DATA.subarray(8192, 8200)]
  const data = DATA.subarray(0, 8200)
  const body = frame({ form, chunks })
  /** Names of trailers and digits of sizes may be spelled either way, and sizes may begin with zeros; nothing else may change. */
  const canonical = (bytes: Buffer): string =>
    bytes
      .toString('latin1')
      .toLowerCase()
      .replaceAll(/(^|\r\n)0+(?=[0-9a-f]+;)/g, '$1')

  test('never accepts a body with a changed byte', () => {
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const changed = Buffer.from(body)
        changed[at] = (changed[at] ?? 0) ^ bits
        const inFrame = at < 90 || at > 8192 + 90
        fc.pre(!inFrame || canonical(changed) !== canonical(body))
        expect(accepts(form, changed, data)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  test('never accepts a changed byte of its framing', () => {
    const start = body.length - 400
    for (let at = 0; at < body.length; at = at === 87 ? start : at + 1) {
      const changed = Buffer.from(body)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(accepts(form, changed, data), `byte ${at}`).toBe(false)
    }
  })

  test('never accepts lost, doubled or exchanged bytes', () => {
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.nat(300), fc.boolean(), (at, length, isLost) => {
        const end = Math.min(body.length, at + length + 1)
        const [head, middle, tail] = [body.subarray(0, at), body.subarray(at, end), body.subarray(end)]
        const changed = isLost ? [head, tail] : [head, middle, middle, tail]
        fc.pre(canonical(Buffer.concat(changed)) !== canonical(body))
        expect(accepts(form, Buffer.concat(changed), data)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('refuses chunks in another order, of another upload or unsigned', () => {
    const same = [DATA.subarray(0, 8192), DATA.subarray(8192, 16_384)]
    const whole = frame({ form, chunks: same })
    const first = whole.subarray(0, whole.indexOf('2000;', 10))
    const second = whole.subarray(first.length, first.length * 2)
    expect(second.subarray(0, 5).toString()).toBe('2000;')
    const exchanged = Buffer.concat([second, first, whole.subarray(first.length * 2)])
    expect(refusal(() => decode(form, exchanged, 16_384)).code).toBe('SignatureDoesNotMatch')
    expect(refusal(() => decode(form, frame({ form: 'unsigned-trailer', chunks }), 8200)).code).toBe('IncompleteBody')
  })

  test('tells what it signed when a signature is wrong', () => {
    const changed = Buffer.from(body)
    changed[200] = (changed[200] ?? 0) ^ 1
    const { status, code, extra } = answer(() => decode(form, changed, data.length))
    expect({ status, code }).toEqual({ status: 403, code: 'SignatureDoesNotMatch' })
    expect(extra['AWSAccessKeyId']).toBe('AKID')
    expect(extra['StringToSign']).toMatch(/^AWS4-HMAC-SHA256-PAYLOAD\n20130524T000000Z\n/)
    expect(extra['SignatureProvided']).toMatch(/^[0-9a-f]{64}$/)
  })
})

test('B32: a wrong trailer signature is 403 SignatureDoesNotMatch', () => {
  const body = frame({ form: 'signed-trailer', chunks: [] }).toString()
  const forged = body.replace('AAAAAA==', 'BAAAAA==')
  expect(answer(() => text('signed-trailer', forged, 0))).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
  expect(refusal(() => text('signed-trailer', forged, 0)).extra['StringToSign']).toMatch(/^AWS4-HMAC-SHA256-TRAILER\n/)
})

describe('B33: trailers', () => {
  const start = '5\r\nhello\r\n0\r\n'

  test.each([
    [`${TRAILER}:NhCmhg==\r\n\r\n`, 'the plain form'],
    [`${TRAILER}: NhCmhg== \r\n\r\n`, 'spaces around the value'],
    [`X-Amz-Checksum-CRC32:NhCmhg==\r\n\r\n`, 'another spelling of the name'],
    [`${TRAILER}:NhCmhg==\n\r\n\r\n`, 'the line end of minio-go'],
  ])('%j are accepted: %s', (end) => {
    expect(text('unsigned-trailer', start + end, 5)).toEqual({
      data: Buffer.from('hello'),
      trailers: { [TRAILER]: 'NhCmhg==' },
    })
  })

  test.each([
    ['\r\n', 'missing'],
    ['x-amz-checksum-sha1:NhCmhg==\r\n\r\n', 'of another name'],
    ['x-amz-checksum-crc32 NhCmhg==\r\n\r\n', 'without a colon'],
    [':NhCmhg==\r\n\r\n', 'without a name'],
    [`${TRAILER}:NhC mhg==\r\n\r\n`, 'with a hole'],
    [`${TRAILER}:NhCmhg==\r\n`, 'truncated before the last line'],
    [`${TRAILER}:NhCmhg==`, 'truncated in the value'],
    [`${TRAILER}:NhCmhg==\r\n${TRAILER}:NhCmhg==\r\n\r\n`, 'given twice'],
    [`${TRAILER}:NhCmhg==\r\nx-amz-trailer-signature:${'0'.repeat(64)}\r\n\r\n`, 'signed where nothing else is'],
    [`${TRAILER}:${'A'.repeat(MAX_LINE_BYTES)}\r\n\r\n`, 'too long'],
    [`${TRAILER}:${'A'.repeat(MAX_LINE_BYTES)}`, 'endless'],
  ])('%j are 400 MalformedTrailerError: %s', (end) => {
    const expected = { status: 400, code: 'MalformedTrailerError', extra: {} }
    expect(answer(() => text('unsigned-trailer', start + end, 5))).toEqual(expected)
  })

  test('must be signed in the signed form, and the signature comes last', () => {
    const body = frame({ form: 'signed-trailer', chunks: [] }).toString()
    const unsigned = body.replace(/x-amz-trailer-signature:.*\r\n/, '')
    expect(refusal(() => text('signed-trailer', unsigned, 0)).code).toBe('MalformedTrailerError')
    const early = body.replace(/(x-amz-checksum.*\r\n)(x-amz-trailer-signature.*\r\n)/, '$2$1')
    expect(refusal(() => text('signed-trailer', early, 0)).code).toBe('MalformedTrailerError')
  })

  test('of minio-go are accepted in the signed form', () => {
    const body = frame({ form: 'signed-trailer', chunks: [] }).toString()
    expect(text('signed-trailer', body.replace('AAAAAA==\r\n', 'AAAAAA==\n\r\n'), 0).trailers).toEqual({
      [TRAILER]: 'AAAAAA==',
    })
  })

  test('may be two if two were promised', () => {
    const names = [TRAILER, 'x-amz-checksum-sha1']
    const decoder = new AwsChunkedDecoder({ trailers: names, decodedLength: 0 })
    decoder.push(Buffer.from('0\r\nx-amz-checksum-sha1:b\r\nx-amz-checksum-crc32:a\r\n\r\n'))
    expect(decoder.end().trailers).toEqual({ 'x-amz-checksum-crc32': 'a', 'x-amz-checksum-sha1': 'b' })
    const half = new AwsChunkedDecoder({ trailers: names, decodedLength: 0 })
    expect(refusal(() => half.push(Buffer.from('0\r\nx-amz-checksum-sha1:b\r\n\r\n'))).code).toBe(
      'MalformedTrailerError',
    )
  })
})

test.each([
  ['no hex digits', 'xyz\r\n'],
  ['a sign', '-5\r\n'],
  ['a prefix', '0x5\r\n'],
  ['a space', '5 \r\n'],
  ['an extension', '5;a=b\r\n'],
  ['a signature', `5;chunk-signature=${'0'.repeat(64)}\r\n`],
  ['a bare line feed', '5\nhello\r\n'],
  ['an empty line', '\r\n'],
  ['too many digits', `${'0'.repeat(13)}5\r\n`],
  ['an endless line', '0'.repeat(MAX_LINE_BYTES + 1)],
  ['data longer than said', '5\r\nhello!\r\n'],
  ['data without a line end', '5\r\nhello5\r\n'],
  ['more than the object', 'ffffffffffff\r\n'],
])('A chunk framed with %s is 400 IncompleteBody', (_, body) => {
  const padded = body.padEnd(40, 'x')
  expect(answer(() => text('unsigned-trailer', padded, 5))).toEqual({ status: 400, code: 'IncompleteBody', extra: {} })
})

describe('The decoder for a request', () => {
  const length = { 'x-amz-decoded-content-length': '5' }
  const headers = (values: Record<string, string>) => new Headers(Object.entries(values).flat())
  const unsigned = { kind: 'unsigned-trailer' } as const
  const chunks = (trailer: boolean) => ({ kind: 'signed-chunks', trailer, signer: signer() }) as const

  test('is none where x-amz-content-sha256 announces no chunks, whatever Content-Encoding says', () => {
    const encoded = headers({ ...length, 'content-encoding': 'aws-chunked' })
    expect(chunkedDecoder({ kind: 'unsigned' }, encoded)).toBeUndefined()
    expect(chunkedDecoder({ kind: 'hash', sha256: Buffer.alloc(32) }, encoded)).toBeUndefined()
  })

  test('knows the length of the object and the trailers', () => {
    const decoder = chunkedDecoder(unsigned, headers({ ...length, 'x-amz-trailer': ' X-Amz-Checksum-CRC32 ' }))
    expect(decoder?.decodedLength).toBe(5)
    decoder?.push(Buffer.from(`5\r\nhello\r\n0\r\n${TRAILER}:NhCmhg==\r\n\r\n`))
    expect(decoder?.end().trailers).toEqual({ [TRAILER]: 'NhCmhg==' })
  })

  test('takes an unsigned body that promises no trailer', () => {
    const decoder = chunkedDecoder(unsigned, headers(length))
    decoder?.push(Buffer.from('5\r\nhello\r\n0\r\n\r\n'))
    expect(decoder?.end().trailers).toEqual({})
  })

  test('B25: wants x-amz-decoded-content-length: absent is 411, no number is 400', () => {
    expect(answer(() => chunkedDecoder(unsigned, headers({})))).toMatchObject({
      status: 411,
      code: 'MissingContentLength',
    })
    for (const text of ['-1', '5.0', 'five', '0x5', '5,5', '9'.repeat(17), '9007199254740993']) {
      const bad = headers({ 'x-amz-decoded-content-length': text })
      expect(answer(() => chunkedDecoder(chunks(false), bad))).toMatchObject({ status: 400, code: 'InvalidArgument' })
    }
  })

  test.each(['x-amz-meta-a', 'host', '', 'x-amz-checksum-crc32,x-amz-checksum-crc32', 'x-amz-trailer-signature'])(
    'refuses the trailer <%s> as 400 InvalidRequest',
    (name) => {
      const bad = headers({ ...length, 'x-amz-trailer': name })
      expect(answer(() => chunkedDecoder(unsigned, bad))).toEqual({ status: 400, code: 'InvalidRequest', extra: {} })
    },
  )

  test('refuses trailers where there can be none, and none where there must be one', () => {
    const promised = headers({ ...length, 'x-amz-trailer': TRAILER })
    expect(refusal(() => chunkedDecoder(chunks(false), promised)).code).toBe('InvalidRequest')
    expect(refusal(() => chunkedDecoder({ kind: 'unsigned' }, promised)).code).toBe('InvalidRequest')
    expect(refusal(() => chunkedDecoder(chunks(true), headers(length))).code).toBe('MalformedTrailerError')
    expect(chunkedDecoder(chunks(true), promised)).toBeInstanceOf(AwsChunkedDecoder)
  })
})
