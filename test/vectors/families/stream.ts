/** Vectors of section 2 and of a PUT's body: lengths, truncations, chunks and headers. */
import { createCipheriv } from 'node:crypto'
import { expand, LABELS } from '../../../src/format/derive.ts'
import { CHUNK_BYTES as C, MIN_SEGMENT_BYTES as D, plaintextSize } from '../../../src/format/sizes.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import { bodyOf, plaintextOf, putObject, type Stored } from '../sealing.ts'
import type { Vector } from '../vector-file.ts'

const SEALED_CHUNK = C + 16

/** The stream, truncation, chunk and header families. */
export function streamVectors(): Vector[] {
  return [...lengths(), ...truncations(), ...chunks(), ...headers()].map(vectorOf)
}

function lengths(): Scenario[] {
  const sizes: [name: string, bytes: number, comment: string][] = [
    ['put_empty', 0, 'no plaintext: one empty chunk'],
    ['put_1_byte', 1, 'one byte'],
    ['put_chunk_minus_1', C - 1, 'one byte less than a chunk'],
    ['put_chunk', C, 'one full chunk and an empty last chunk'],
    ['put_chunk_plus_1', C + 1, 'one full chunk and a last chunk of one byte'],
    ['put_2_chunks', 2 * C, 'two full chunks and an empty last chunk'],
    ['put_257_chunks', 257 * C + 5, '257 full chunks: the counter needs its second byte'],
    ['put_d_minus_1', D - 1, 'the largest object without a foot and with the small size formula'],
    ['put_d', D, 'the smallest object with a foot and with the large size formula'],
  ]
  const scenarios = sizes.map(([name, bytes, comment]) => ({ name, comment, object: putObject(bytes, { seed: name }) }))
  const tailFirst = putObject(300, { seed: 'put_tail_first', tailFirst: true })
  return [
    ...scenarios,
    {
      name: 'put_tail_first',
      comment: 'one segment of type 1, but flag 1: its length is known from the tail alone',
      object: tailFirst,
    },
  ]
}

/** With P in the sealed metadata, every other stored size is a mismatch, before any byte is decrypted. */
function truncations(): Scenario[] {
  const object = putObject(2 * C + 100, { seed: 'three_chunks' })
  const small = putObject(100, { seed: 'small' })
  const cut = (name: string, comment: string, body: Buffer, of: Stored = object): Scenario => ({
    name: `truncated_${name}`,
    comment,
    object: of,
    body,
    expect: 'size mismatch',
  })
  const body = bodyOf(object)
  const smallBody = bodyOf(small)
  const data = 64 + 2 * SEALED_CHUNK
  return [
    cut('last_byte', 'the last byte is missing', smallBody.subarray(0, -1), small),
    cut('trailer', 'the trailer is missing', smallBody.subarray(0, -16), small),
    cut('tail', 'tail and trailer are missing', body.subarray(0, data + 116)),
    cut('last_chunk', 'the stream ends with a full chunk', body.subarray(0, data)),
    cut('at_chunk_end', 'the stream ends after its first chunk', body.subarray(0, 64 + SEALED_CHUNK)),
    cut('in_chunk', 'the stream ends inside its second chunk', body.subarray(0, data - 1000)),
    cut('in_tag', 'the stream ends inside the tag of its first chunk', body.subarray(0, 64 + SEALED_CHUNK - 8)),
    cut('to_header', 'nothing but the header', smallBody.subarray(0, 64), small),
    cut('in_header', 'half a header', smallBody.subarray(0, 32), small),
    cut('to_nothing', 'an empty body', Buffer.alloc(0), small),
    cut(
      'first_chunk_dropped',
      'the first chunk is missing',
      Buffer.concat([body.subarray(0, 64), body.subarray(64 + SEALED_CHUNK)]),
    ),
    cut(
      'middle_chunk_dropped',
      'the second chunk is missing',
      Buffer.concat([body.subarray(0, 64 + SEALED_CHUNK), body.subarray(data)]),
    ),
    cut(
      'to_a_valid_size',
      'one byte of plaintext is missing: the size of another object',
      withoutByte(smallBody),
      small,
    ),
    cut('no_empty_last_chunk', 'the empty last chunk of a full-chunk object is missing', withoutLastChunk()),
    {
      ...cut('not_but_longer', 'one byte follows the trailer', Buffer.concat([smallBody, Buffer.of(0)]), small),
      name: 'trailing_byte',
    },
    {
      ...cut(
        '',
        'the chunks are followed by one more chunk',
        Buffer.concat([body.subarray(0, data + 116), body.subarray(64, 64 + SEALED_CHUNK), body.subarray(data + 116)]),
      ),
      name: 'trailing_chunk',
    },
  ]
}

function withoutByte(body: Buffer): Buffer {
  const shorter = Buffer.concat([body.subarray(0, 70), body.subarray(71)])
  if (plaintextSize(shorter.length) !== 99) throw new Error('this scenario needs a valid size')
  return shorter
}

function withoutLastChunk(): Buffer {
  const body = bodyOf(putObject(C, { seed: 'put_chunk' }))
  return Buffer.concat([body.subarray(0, 64 + SEALED_CHUNK), body.subarray(64 + SEALED_CHUNK + 16)])
}

/** The stored size is right, the chunks are not. */
function chunks(): Scenario[] {
  const object = putObject(2 * C + 100, { seed: 'three_chunks' })
  const sibling = putObject(2 * C + 100, { seed: 'three_chunks_again', objectKey: object.objectKey })
  const whole = putObject(2 * C, { seed: 'put_2_chunks' })
  const [first, second, last] = chunksOf(object)
  const broken = (name: string, comment: string, released: number, pieces: readonly Buffer[]): Scenario => ({
    name: `chunk_${name}`,
    comment,
    object,
    body: withChunks(object, pieces),
    expect: 'payload failure',
    released,
  })
  const flip = (name: string, comment: string, of: Stored, offset: number, released: number): Scenario => ({
    name: `chunk_${name}`,
    comment,
    object: of,
    flip: offset,
    expect: 'payload failure',
    released,
  })
  return [
    broken('swapped', 'the two full chunks are exchanged', 0, [second, first, last]),
    broken('repeated', 'the first chunk stands in the place of the second too', C, [first, first, last]),
    broken('zeroed', 'the second chunk is zero', C, [first, Buffer.alloc(SEALED_CHUNK), last]),
    broken('of_other_salt', 'the second chunk is that of another segment under the same R', C, [
      first,
      chunksOf(sibling)[1],
      last,
    ]),
    broken('short_first', 'the first chunk is 100 bytes short and the last one as much longer', 0, rechunked(object)),
    broken('counter_from_1', 'the counter starts at 1', 0, sealedFrom(object, 1)),
    broken('counter_little_endian', 'the counter stands at the other end of the nonce', C, sealedFrom(object, 0, true)),
    flip('first_byte_flipped', 'the first ciphertext byte is damaged', object, 64, 0),
    flip('first_tag_flipped', 'the tag of the first chunk is damaged', object, 64 + C, 0),
    flip('second_flipped', 'the second chunk is damaged', object, 64 + SEALED_CHUNK + 7, C),
    flip('last_flipped', 'the last chunk is damaged', object, 64 + 2 * SEALED_CHUNK, 2 * C),
    flip('last_tag_flipped', 'the last byte of the last tag is damaged', object, 64 + 2 * SEALED_CHUNK + 115, 2 * C),
    flip(
      'empty_last_flipped',
      'the tag of the empty last chunk is damaged; the chunk before it was held back',
      whole,
      64 + 2 * SEALED_CHUNK,
      C,
    ),
    flip('of_empty_object_flipped', 'the only, empty chunk is damaged', putObject(0, { seed: 'put_empty' }), 64, 0),
  ]
}

function chunksOf(object: Stored): [Buffer, Buffer, Buffer] {
  const segment = object.segments[0] ?? Buffer.alloc(0)
  const at = (chunk: number): Buffer => segment.subarray(64 + chunk * SEALED_CHUNK, 64 + (chunk + 1) * SEALED_CHUNK)
  return [at(0), at(1), at(2)]
}

function withChunks(object: Stored, pieces: readonly Buffer[]): Buffer {
  const header = object.segments[0]?.subarray(0, 64) ?? Buffer.alloc(0)
  return bodyOf({ ...object, segments: [Buffer.concat([header, ...pieces])] })
}

/** The object's plaintext in chunks that start at another counter, under its own key. */
function sealedFrom(object: Stored, start: number, littleEndian = false): Buffer[] {
  const { key, base } = secretsOf(object)
  const plaintext = plaintextOf(object.plaintextBytes)
  return [0, 1, 2].map((i) => {
    const counter = littleEndian ? (start + i) * 2 ** 24 : start + i
    return encryptChunk(key, base, counter, plaintext.subarray(i * C, (i + 1) * C), littleEndian)
  })
}

function rechunked(object: Stored): Buffer[] {
  const { key, base } = secretsOf(object)
  const plaintext = plaintextOf(object.plaintextBytes)
  const cuts = [0, C - 100, 2 * C - 100, object.plaintextBytes]
  return [0, 1, 2].map((i) => encryptChunk(key, base, i, plaintext.subarray(cuts[i], cuts[i + 1])))
}

function secretsOf(object: Stored): { key: Buffer; base: Buffer } {
  const committed = object.segments[0]?.subarray(0, 32) ?? Buffer.alloc(0)
  const secrets = expand(object.objectKey, LABELS.segment, committed, 76)
  return { key: secrets.subarray(0, 32), base: secrets.subarray(32, 44) }
}

function encryptChunk(key: Buffer, base: Buffer, counter: number, plaintext: Buffer, atStart = false): Buffer {
  const nonce = Buffer.from(base)
  const offset = atStart ? 0 : 8
  nonce.writeUInt32BE((nonce.readUInt32BE(offset) ^ counter) >>> 0, offset)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** A whole read compares all 64 bytes; a range that trusts the sealed commitment does not need them. */
function headers(): Scenario[] {
  const object = putObject(100, { seed: 'small' })
  const other = putObject(100, { seed: 'small_other' })
  const header = (name: string, comment: string, change: Partial<Scenario>): Scenario => ({
    name: `header_${name}`,
    comment,
    object,
    expect: 'commitment failure',
    ...change,
  })
  const put = (offset: number, ...bytes: number[]): Partial<Scenario> => ({
    patch: { offset, bytes: Buffer.from(bytes) },
  })
  const swapped = { ...object, segments: other.segments }
  return [
    header('magic', 'the magic is wrong', { flip: 3 }),
    header('suite', 'the suite is not that of the envelope', put(4, 2)),
    header('type_of_part', 'the type is that of a part', put(5, 2)),
    header('type_of_tail', 'the type is that of a tail', put(5, 3)),
    header('part_number', 'a part number in a segment of a PUT', put(6, 0, 1)),
    header('salt', 'the salt is damaged', { flip: 8 }),
    header('commitment_first', 'the first byte of the commitment is damaged', { flip: 32 }),
    header('commitment_last', 'the last byte of the commitment is damaged', { flip: 63 }),
    header('of_other_object', 'the segment is that of another object, with the commitment of another R', {
      body: bodyOf(swapped),
    }),
    header('damaged_range', 'the header is damaged, but the range needs only the chunks', {
      flip: 40,
      range: [10, 19],
      expect: 'success',
    }),
  ]
}
