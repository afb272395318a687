import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Body, HeldBody } from '../../../src/backends/body.ts'
import { beforeLast, objectBody, type OutgoingBody, withLength } from '../../../src/backends/s3/upload-body.ts'
import { Internal, Invalid } from '../../../src/errors.ts'
import { AwsChunkedDecoder } from '../../../src/s3/aws-chunked.ts'
import { loadChecksums, newHasher } from '../../../src/s3/checksum.ts'
import { bytes, collect } from '../../contract/object-store/bench.ts'

const TRAILER = 'x-amz-checksum-crc32'
const CHUNK = 1024 * 1024

beforeAll(() => loadChecksums())

const crc32 = (content: Buffer): string => {
  const hasher = newHasher('CRC32')
  hasher.update(content)
  return hasher.digest().toString('base64')
}

/** The content in batches and buffers that end at the given places. */
async function* cutAt(content: Buffer, places: readonly number[], batch = 3): Body {
  const ends = [...new Set([...places.map((place) => place % (content.length + 1)), content.length])].sort(
    (a, b) => a - b,
  )
  const pieces = ends.map((end, at) => content.subarray(ends[at - 1] ?? 0, end))
  for (let at = 0; at < pieces.length; at += batch) yield pieces.slice(at, at + batch)
}

const sentBytes = async ({ body }: OutgoingBody): Promise<Buffer> =>
  body === undefined ? Buffer.alloc(0) : Buffer.isBuffer(body) ? body : collect(body)

async function expectDecodes(content: Buffer, places: readonly number[], cutOnWire: number): Promise<void> {
  const outgoing = objectBody(cutAt(content, places), content.length, 'crc32')
  const wire = await sentBytes(outgoing)
  expect(outgoing.payloadHash).toBe('STREAMING-UNSIGNED-PAYLOAD-TRAILER')
  expect(outgoing.headers).toEqual({
    'content-length': String(wire.length),
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(content.length),
    'x-amz-trailer': TRAILER,
  })
  const decoder = new AwsChunkedDecoder({ trailers: [TRAILER], decodedLength: content.length })
  const decoded: Buffer[] = []
  for (let at = 0; at < wire.length; at += cutOnWire) decoded.push(...decoder.push(wire.subarray(at, at + cutOnWire)))
  expect(decoder.end().trailers).toEqual({ [TRAILER]: crc32(content) })
  expect(Buffer.concat(decoded).equals(content)).toBe(true)
}

describe('a trailing checksum', () => {
  test('frames a body of any length, cut anywhere, as any decoder reads it', async () => {
    const lengths = fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.constantFrom(0, 1, 15, 16, 255, 256, 4_095, 4_096))
    const places = fc.array(fc.nat(100_000), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(lengths, places, fc.integer({ min: 1, max: 7_000 }), async (length, cuts, onWire) =>
        expectDecodes(bytes(length), cuts, onWire),
      ),
      { numRuns: 150 },
    )
  })

  test.each([[CHUNK - 1], [CHUNK], [CHUNK + 1], [3 * CHUNK], [3 * CHUNK + 17]])('of %i bytes', async (length) => {
    await expectDecodes(bytes(length), [1, CHUNK - 1, CHUNK, CHUNK + 5, 2 * CHUNK + 9], 65_537)
  })

  test.each([
    [99, 100],
    [101, 100],
    [0, 1],
    [1, 0],
    [CHUNK + 1, CHUNK],
  ])('is not sent for %i bytes where %i were announced', async (length, announced) => {
    const wire: Buffer[] = []
    const { body } = objectBody(cutAt(bytes(length), []), announced, 'crc32')
    const sending = (async () => {
      for await (const batch of body as Body) wire.push(...batch)
    })()
    await expect(sending).rejects.toThrow(Invalid)
    expect(Buffer.concat(wire).includes(TRAILER)).toBe(false)
  })
})

describe('a body in memory', () => {
  const content = bytes(1_000)
  const held = new HeldBody([content.subarray(0, 300), content.subarray(300)])

  test('carries the checksum that the profile has a word for', () => {
    const of = (dialect: 'crc32' | 'sha256') => objectBody(held, 1_000, dialect)
    expect(of('crc32')).toMatchObject({ payloadHash: 'UNSIGNED-PAYLOAD', headers: { [TRAILER]: crc32(content) } })
    expect(of('sha256').payloadHash).toMatch(/^[0-9a-f]{64}$/)
    for (const dialect of ['crc32', 'sha256'] as const) {
      expect(of(dialect).headers['content-length']).toBe('1000')
      expect((of(dialect).body as Buffer).equals(content)).toBe(true)
    }
  })

  test('of another length than was announced is refused before anything is sent', () => {
    expect(() => objectBody(held, 999, 'crc32')).toThrow(Invalid)
  })
})

test('streamed without a dialect for it, a body goes as it is', async () => {
  for (const dialect of ['sha256'] as const) {
    const outgoing = objectBody(cutAt(bytes(500), [100]), 500, dialect)
    expect([outgoing.payloadHash, outgoing.headers]).toEqual(['UNSIGNED-PAYLOAD', { 'content-length': '500' }])
    expect((await sentBytes(outgoing)).equals(bytes(500))).toBe(true)
  }
})

test('the last batch leaves only after what comes before it has been done; if that fails, it never leaves', async () => {
  const log: string[] = []
  const body = async function* (): Body {
    yield [Buffer.from('1')]
    yield [Buffer.from('2')]
  }
  for await (const [piece] of beforeLast(body(), async () => log.push('commit'))) log.push(String(piece))
  expect(log).toEqual(['1', 'commit', '2'])
  const sent: string[] = []
  const refused = async () => {
    for await (const [piece] of beforeLast(body(), () => Promise.reject(new Invalid('no')))) sent.push(String(piece))
  }
  await expect(refused()).rejects.toThrow(Invalid)
  expect(sent).toEqual(['1'])
  for await (const _ of beforeLast((async function* (): Body {})(), async () => log.push('empty'))) throw new Error()
  expect(log.at(-1)).toBe('empty')
})

describe('a length', () => {
  const unknown = (): Body => cutAt(bytes(700), [1, 300])

  test('that is unknown is found by gathering', async () => {
    const { body, length } = await withLength(unknown(), undefined, undefined)
    expect([length, body instanceof HeldBody, (await collect(body)).equals(bytes(700))]).toEqual([700, true, true])
  })

  test('of what is in memory has to be right', async () => {
    await expect(withLength(new HeldBody([bytes(5)]), 6, undefined)).rejects.toThrow(Invalid)
  })

  test('that is unknown and large is nothing for one request', async () => {
    const piece = Buffer.alloc(8 * 1024 * 1024)
    const endless = async function* (): Body {
      for (;;) yield [piece]
    }
    await expect(withLength(endless(), undefined, undefined)).rejects.toThrow(Internal)
  })

  test('is not waited for when the client has left', async () => {
    const leaving = new AbortController()
    const silent = async function* (): Body {
      yield [bytes(1)]
      await new Promise(() => undefined)
    }
    const gathering = withLength(silent(), undefined, leaving.signal)
    leaving.abort(new Error('the client left'))
    await expect(gathering).rejects.toThrow('the client left')
  })
})
