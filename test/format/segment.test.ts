import { createDecipheriv, createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import {
  checkHeader,
  DATA_OF_PART,
  DATA_OF_PUT,
  openSegment,
  parseHeader,
  SegmentOpener,
  SegmentSealer,
  sealSegment,
  TAIL,
} from '../../src/format/segment.ts'
import { CHUNK_BYTES, chunkedSize, SEALED_CHUNK_BYTES, segmentSize } from '../../src/format/sizes.ts'
import { expectRefusal, flipped, inPieces, lengthOf, seeded } from './sealed-objects.ts'

const C = CHUNK_BYTES
const KEY = seeded('object key')(32)
const random = seeded('segments')

function seal(plaintext: Buffer, pieceBytes: number = plaintext.length): { sealer: SegmentSealer; chunks: Buffer } {
  const sealer = new SegmentSealer({ objectKey: KEY, type: DATA_OF_PART, partNumber: 7, random })
  const out = inPieces(plaintext, Math.max(1, pieceBytes)).flatMap((piece) => sealer.update(piece))
  return { sealer, chunks: Buffer.concat([...out, ...sealer.final()]) }
}

function factsOf(sealer: SegmentSealer) {
  return { suite: 1, type: DATA_OF_PART, partNumber: 7, salt: sealer.salt, commitment: sealer.commitment } as const
}

function open(
  sealer: SegmentSealer,
  chunks: Buffer,
  plaintextBytes: number,
  pieceBytes: number = chunks.length,
): Buffer {
  const opener = new SegmentOpener({ objectKey: KEY, facts: factsOf(sealer), plaintextBytes })
  return Buffer.concat(inPieces(chunks, Math.max(1, pieceBytes)).flatMap((piece) => opener.push(piece)))
}

describe('a sealed segment', () => {
  test('has the header, keys and nonces of the specification', () => {
    const plaintext = seeded('p')(C + 100)
    const { sealer, chunks } = seal(plaintext)
    const head = sealer.header
    expect(head.subarray(0, 8)).toEqual(Buffer.from([0x53, 0x47, 0x54, 0x31, 1, 2, 0, 7]))
    const block = (before: Buffer, n: number): Buffer =>
      createHmac('sha512', KEY)
        .update(Buffer.concat([before, Buffer.from('sealgate/v1/segment\0'), head.subarray(0, 32), Buffer.of(n)]))
        .digest()
    const one = block(Buffer.alloc(0), 1)
    const secrets = Buffer.concat([one, block(one, 2)])
    expect(head.subarray(32)).toEqual(secrets.subarray(44, 76))
    const nonce = Buffer.from(secrets.subarray(32, 44))
    nonce[11] = (nonce[11] ?? 0) ^ 1
    const last = chunks.subarray(SEALED_CHUNK_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', secrets.subarray(0, 32), nonce)
    decipher.setAuthTag(last.subarray(-16))
    const opened = Buffer.concat([decipher.update(last.subarray(0, -16)), decipher.final()])
    expect(opened.equals(plaintext.subarray(C))).toBe(true)
  })

  test('opens again for every length around the chunks, whole and in odd pieces', () => {
    for (const bytes of [0, 1, 15, 16, C - 1, C, C + 1, 2 * C - 1, 2 * C, 2 * C + 1, 3 * C + 17]) {
      const plaintext = seeded(`p${bytes}`)(bytes)
      for (const pieceBytes of [bytes, 4_093, C, C + 1, 100_003]) {
        const { sealer, chunks } = seal(plaintext, pieceBytes)
        expect(chunks.length).toBe(chunkedSize(bytes))
        expect(sealer.plaintextBytes).toBe(bytes)
        expect(open(sealer, chunks, bytes, pieceBytes).equals(plaintext)).toBe(true)
      }
    }
  })

  test('is the same sealed and opened byte by byte', () => {
    const plaintext = seeded('bytes')(C + 3)
    const { sealer, chunks } = seal(plaintext, 1)
    expect(open(sealer, chunks, plaintext.length, 1).equals(plaintext)).toBe(true)
  })

  test('goes on as it comes: no piece waits for the next one', () => {
    const sealer = new SegmentSealer({ objectKey: KEY, type: DATA_OF_PUT, partNumber: 0, random })
    expect(lengthOf(sealer.update(Buffer.alloc(5)))).toBe(5)
    expect(lengthOf(sealer.update(Buffer.alloc(C)))).toBe(C + 16)
    expect(sealer.update(Buffer.alloc(0))).toEqual([])
    expect(lengthOf(sealer.final())).toBe(16)
  })

  test('has a new salt for each attempt, so that equal plaintexts differ', () => {
    const [one, two] = [seal(Buffer.alloc(100)), seal(Buffer.alloc(100))]
    expect(one.sealer.salt.equals(two.sealer.salt)).toBe(false)
    expect(one.chunks.equals(two.chunks)).toBe(false)
  })

  test('is sealed once', () => {
    const { sealer } = seal(Buffer.alloc(1))
    expect(() => sealer.update(Buffer.alloc(1))).toThrow(Internal)
    expect(() => sealer.final()).toThrow(Internal)
  })
})

describe('opening a segment', () => {
  const plaintext = seeded('opening')(2 * C + 9)
  const { sealer, chunks } = seal(plaintext)
  const facts = factsOf(sealer)

  test('gives nothing of a chunk before its tag', () => {
    const opener = new SegmentOpener({ objectKey: KEY, facts, plaintextBytes: plaintext.length })
    expect(opener.push(chunks.subarray(0, SEALED_CHUNK_BYTES - 1))).toEqual([])
    expect(lengthOf(opener.push(chunks.subarray(SEALED_CHUNK_BYTES - 1, SEALED_CHUNK_BYTES)))).toBe(C)
    expect(opener.remaining).toBe(chunks.length - SEALED_CHUNK_BYTES)
  })

  test('gives nothing of a damaged chunk', () => {
    for (const at of [0, C - 1, C, C + 15, SEALED_CHUNK_BYTES, chunks.length - 20, chunks.length - 1]) {
      expectRefusal('payload failure', () => open(sealer, flipped(chunks, at), plaintext.length))
    }
  })

  test('refuses exchanged and repeated chunks', () => {
    const [one, two, three] = inPieces(chunks, SEALED_CHUNK_BYTES)
    if (one === undefined || two === undefined || three === undefined) throw new Error('three chunks')
    expectRefusal('payload failure', () => open(sealer, Buffer.concat([two, one, three]), plaintext.length))
    expectRefusal('payload failure', () => open(sealer, Buffer.concat([one, one, three]), plaintext.length))
    expectRefusal('payload failure', () => open(sealer, Buffer.concat([one, three]), C + 9))
  })

  test('opens a run of chunks on its own', () => {
    const opener = new SegmentOpener({
      objectKey: KEY,
      facts,
      plaintextBytes: plaintext.length,
      firstChunk: 1,
      lastChunk: 1,
    })
    expect(opener.remaining).toBe(SEALED_CHUNK_BYTES)
    const out = opener.push(chunks.subarray(SEALED_CHUNK_BYTES, 2 * SEALED_CHUNK_BYTES))
    expect(Buffer.concat(out).equals(plaintext.subarray(C, 2 * C))).toBe(true)
    expect(opener.remaining).toBe(0)
  })

  test('refuses another key, salt, type or part number by the commitment', () => {
    const options = { objectKey: KEY, facts, plaintextBytes: plaintext.length }
    const wrong = [
      { ...options, objectKey: flipped(KEY, 0) },
      { ...options, facts: { ...facts, salt: flipped(facts.salt, 0) } },
      { ...options, facts: { ...facts, type: DATA_OF_PUT } as const },
      { ...options, facts: { ...facts, partNumber: 8 } },
      { ...options, facts: { ...facts, commitment: flipped(facts.commitment, 31) } },
    ]
    for (const other of wrong) expectRefusal('commitment failure', () => new SegmentOpener(other))
  })

  test('refuses suites that are not built', () => {
    for (const suite of [0, 2, 3]) {
      expectRefusal(
        'payload failure',
        () => new SegmentOpener({ objectKey: KEY, facts: { ...facts, suite }, plaintextBytes: 1 }),
      )
    }
  })

  test('is called wrongly with more bytes than the segment has, or chunks that it has not', () => {
    const options = { objectKey: KEY, facts, plaintextBytes: plaintext.length }
    expect(() => new SegmentOpener(options).push(Buffer.alloc(chunks.length + 1))).toThrow(Internal)
    expect(() => new SegmentOpener({ ...options, lastChunk: 3 })).toThrow(Internal)
    expect(() => new SegmentOpener({ ...options, firstChunk: 2, lastChunk: 1 })).toThrow(Internal)
  })
})

describe('a small whole segment', () => {
  const plaintext = seeded('small')(300)
  const { pieces, salt, commitment } = sealSegment({ objectKey: KEY, type: TAIL, partNumber: 0, random }, [
    plaintext.subarray(0, 100),
    plaintext.subarray(100),
  ])
  const stored = Buffer.concat(pieces)
  const facts = { suite: 1, type: TAIL, partNumber: 0, salt, commitment } as const

  test('opens to its plaintext', () => {
    expect(stored.length).toBe(segmentSize(300))
    expect(openSegment(KEY, facts, stored).equals(plaintext)).toBe(true)
  })

  test('refuses every turned bit: the header by its commitment, the rest by its tag', () => {
    for (let at = 0; at < stored.length; at++) {
      const layer = at < 64 ? 'commitment failure' : 'tail failure'
      expectRefusal(layer, () => openSegment(KEY, facts, flipped(stored, at, at % 8), 'tail failure'))
    }
  })

  test('refuses a full-size final chunk: it is a truncation', () => {
    const whole = Buffer.concat(
      sealSegment({ objectKey: KEY, type: TAIL, partNumber: 0, random }, Buffer.alloc(C)).pieces,
    )
    const header = parseHeader(whole.subarray(0, 64))
    if (header === undefined) throw new Error('a header')
    expect(openSegment(KEY, header, whole)).toHaveLength(C)
    expectRefusal('payload failure', () => openSegment(KEY, header, whole.subarray(0, -16)))
  })

  test('tells what its header says, and nothing of what is no header', () => {
    expect(parseHeader(stored.subarray(0, 64))).toEqual(facts)
    expect(parseHeader(stored.subarray(0, 63))).toBeUndefined()
    expect(parseHeader(flipped(stored.subarray(0, 64), 3))).toBeUndefined()
    expect(parseHeader(flipped(stored.subarray(0, 64), 5, 4))).toBeUndefined()
  })

  test('passes the header check with the expected bytes alone', () => {
    const header = stored.subarray(0, 64)
    expect(() => checkHeader(header, Buffer.from(header))).not.toThrow()
    expectRefusal('commitment failure', () => checkHeader(header.subarray(0, 63), header))
  })
})
