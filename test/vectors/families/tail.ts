/** Vectors of sections 3 and 4 on objects of one PUT: tail, record, pad, foot and trailer, recovery, ranges. */
import { CHUNK_BYTES as C, MIN_SEGMENT_BYTES as D } from '../../../src/format/sizes.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import { bodyOf, copyOf, multipartObject, NAMESPACE, putObject, type Stored, withRecord } from '../sealing.ts'
import type { Vector } from '../vector-file.ts'

const P = 100

/** The tail, foot, recovery and range families of PUT objects. */
export function tailVectors(): Vector[] {
  return [...tails(), ...trailers(), ...records(), ...largeRecords(), ...pads(), ...recoveries(), ...ranges()].map(
    vectorOf,
  )
}

function tails(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const large = putObject(2 * C + P, { seed: 'three_chunks' })
  const other = putObject(P, { seed: 'small_other' })
  const sibling = putObject(P, { seed: 'small_again', objectKey: object.objectKey })
  const tailStart = 64 + P + 16
  const bad = (name: string, comment: string, change: Partial<Scenario>): Scenario => ({
    name: `tail_${name}`,
    comment,
    object,
    expect: 'tail failure',
    ...change,
  })
  const largeTail = 64 + 2 * (C + 16) + P + 16
  return [
    bad('flipped', 'the ciphertext of the tail is damaged', { flip: tailStart + 64 }),
    bad('tag_flipped', 'the tag of the tail is damaged', { flip: -17 }),
    bad('flipped_behind_chunks', 'the tail is damaged: only the last chunk was held back', {
      object: large,
      flip: largeTail + 64,
      released: 2 * C,
    }),
    bad('magic', 'the magic of the tail is damaged', { flip: tailStart }),
    bad('suite', 'the suite of the tail is another', { patch: { offset: tailStart + 4, bytes: Buffer.of(2) } }),
    bad('type', 'the type of the tail is that of data', { patch: { offset: tailStart + 5, bytes: Buffer.of(1) } }),
    bad('part_number', 'the tail has a part number', { patch: { offset: tailStart + 7, bytes: Buffer.of(1) } }),
    bad('salt', 'the salt of the tail is damaged', { flip: tailStart + 8, expect: 'commitment failure' }),
    bad('commitment', 'the commitment of the tail is damaged', { flip: tailStart + 32, expect: 'commitment failure' }),
    bad('of_other_object', 'the tail is that of another object', {
      body: bodyOf({ ...object, tail: other.tail }),
      expect: 'commitment failure',
    }),
    bad('of_other_salt', 'the tail is that of another segment of the same length under the same R', {
      body: bodyOf({ ...object, tail: sibling.tail }),
    }),
    bad('zeroed', 'the tail is zero', { body: bodyOf({ ...object, tail: Buffer.alloc(object.tail.length) }) }),
    bad('damaged_range', 'the tail is damaged, but the range needs only the chunks', {
      flip: tailStart + 64,
      range: [0, 9],
      expect: 'success',
    }),
  ]
}

function trailers(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const large = putObject(D, { seed: 'put_d' })
  const offsetBy = (by: number): Buffer => {
    const trailer = Buffer.from(object.trailer)
    trailer.writeUIntBE(trailer.readUIntBE(2, 6) + by, 2, 6)
    return bodyOf({ ...object, trailer })
  }
  const bad = (name: string, comment: string, change: Partial<Scenario>): Scenario => ({
    name: `trailer_${name}`,
    comment,
    object,
    expect: 'tail failure',
    ...change,
  })
  return [
    bad('magic', 'the last byte of the magic is damaged', { flip: -1 }),
    bad('offset_less', 'the offset of the tail is 1 less', { body: offsetBy(-1) }),
    bad('offset_more', 'the offset of the tail is 1 more', { body: offsetBy(1) }),
    bad('offset_beyond', 'the offset of the tail is behind the object', {
      patch: { offset: -14, bytes: Buffer.from('ffffffffffff', 'hex') },
    }),
    bad('offset_zero', 'the offset of the tail is 0', { patch: { offset: -14, bytes: Buffer.alloc(6) } }),
    bad('foot_length', 'a foot of one byte in a small object', { patch: { offset: -16, bytes: Buffer.from([0, 1]) } }),
    bad('foot_length_large', 'the foot is said to be one byte shorter', {
      object: large,
      body: footLengthBy(large, -1),
      released: D - C,
    }),
    bad('foot_length_limit', 'the foot is said to be longer than 2,048 bytes', {
      object: large,
      body: footLengthBy(large, 2049 - large.foot.length),
      released: D - C,
    }),
  ]
}

function footLengthBy(object: Stored, by: number): Buffer {
  const trailer = Buffer.from(object.trailer)
  trailer.writeUInt16BE(trailer.readUInt16BE(0) + by, 0)
  return bodyOf({ ...object, trailer })
}

type Change = (record: Buffer) => Buffer | undefined | void

/** Records that no writer writes, sealed as they should be. */
function records(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const part = multipartObject([{ partNumber: 5, bytes: P }], { seed: 'multipart_one_small' })
  const bad = (name: string, comment: string, change: Change, of = object): Scenario => ({
    name: `record_${name}`,
    comment,
    object: withRecord(of, change),
    expect: 'tail failure',
  })
  const set =
    (offset: number, ...bytes: number[]): Change =>
    (record) =>
      void Buffer.from(bytes).copy(record, offset)
  return [
    bad('version_2', 'version 2', set(0, 2)),
    bad('kind_0', 'kind 0', set(1, 0)),
    bad('kind_3', 'kind 3', set(1, 3)),
    bad('kind_of_upload', 'kind 2 with a part number: the segment would be of type 2', (record) => {
      record[1] = 2
      record[43] = 1
    }),
    bad('flag_unknown', 'flag 16 is not known', set(2, 0, 17)),
    bad('area_flag_small', 'the area flag below D', set(2, 0, 5)),
    bad('foot_flag_small', 'the foot flag below D', set(2, 0, 9)),
    bad('n_0', 'no segment', set(4, 0, 0, 0, 0)),
    bad('n_2', 'two segments without entries', set(4, 0, 0, 0, 2)),
    bad('n_too_many', '10,001 segments', set(4, 0, 0, 0x27, 0x11)),
    { ...bad('p_less', 'P is one less than the stored size says', set(15, P - 1)), expect: 'size mismatch' },
    { ...bad('p_huge', 'P is 2^53', set(9, 0x20)), expect: 'tail failure' },
    bad('offset', 'the offset of the tail is not that of the trailer', set(23, 0)),
    bad('md5_without_flag', 'an MD5 without its flag', set(2, 0, 0)),
    bad('checksum_without_algorithm', 'the checksum flag without an algorithm', set(2, 0, 3)),
    bad('checksum_algorithm', 'an unknown checksum algorithm', set(40, 11)),
    bad('checksum_type', 'an unknown checksum type', set(40, 1, 2)),
    bad('checksum_type_alone', 'composite, but no algorithm', set(41, 1)),
    bad('checksum_without_flag', 'checksum bytes without the flag', set(40, 1, 0, 0, 0, 1)),
    bad('checksum_not_justified', 'a CRC32 followed by a byte that is not zero', (record) => {
      record[3] = 3
      record[40] = 1
      record[48] = 1
    }),
    bad('part_number_of_put', 'a part number in a PUT', set(42, 0, 1)),
    bad('part_number_0', 'part number 0 in an upload of one part', set(42, 0, 0), part),
    bad('part_number_10001', 'part number 10,001', set(42, 0x27, 0x11), part),
    bad('salt', 'the salt is another than in the sealed metadata', (record) => void (record[108] = record[108]! ^ 1)),
    bad('reserved', 'a reserved byte is not zero', set(159, 1)),
  ]
}

/** Records of another length, which fit the stored size where there is a pad. */
function largeRecords(): Scenario[] {
  const object = putObject(D, { seed: 'put_d' })
  const bad = (name: string, comment: string, change: Change): Scenario => ({
    name: `record_${name}`,
    comment,
    object: refitted(withRecord(object, change)),
    expect: 'tail failure',
    released: D - C,
  })
  return [
    bad('short', 'the record ends before the length of the area', (record) => record.subarray(0, 160)),
    bad('trailing_byte', 'one byte is left over', (record) => Buffer.concat([record, Buffer.of(0)])),
    bad('area_without_flag', 'an area without its flag', (record) => areaOf(record, Buffer.alloc(60))),
    bad('area_flag_alone', 'the area flag without an area', (record) => void (record[3] = record[3]! | 4)),
    bad('area_too_short', 'an area of 39 bytes: less than a seal of nothing', (record) =>
      flagged(areaOf(record, Buffer.alloc(39))),
    ),
    bad('area_too_long', 'an area of 4,097 bytes', (record) => flagged(areaOf(record, Buffer.alloc(4097)))),
    bad('foot_flag_clear', 'a foot without its flag', (record) => void (record[3] = record[3]! & ~8)),
    bad('entry_of_one', 'an entry, although there is one segment', (record) =>
      Buffer.concat([record, Buffer.alloc(120)]),
    ),
  ]
}

function areaOf(record: Buffer, area: Buffer): Buffer {
  return Buffer.concat([record.subarray(0, 160), Buffer.of(area.length >>> 8, area.length & 0xff), area])
}

function flagged(record: Buffer): Buffer {
  record.writeUInt16BE(record.readUInt16BE(2) | 4, 2)
  return record
}

/** The object with its pad shortened or lengthened so that the stored size is right again, offsets included. */
function refitted(object: Stored): Stored {
  const original = putObject(D, { seed: 'put_d' })
  const pad = Buffer.alloc(original.pad.length + original.tail.length - object.tail.length)
  const offset = object.segments.reduce((sum, segment) => sum + segment.length, pad.length)
  const trailer = Buffer.from(object.trailer)
  trailer.writeUIntBE(offset, 2, 6)
  const moved = withRecord({ ...object, pad, trailer }, (record) => void record.writeBigUInt64BE(BigInt(offset), 16))
  return moved
}

function pads(): Scenario[] {
  const object = putObject(D, { seed: 'put_d' })
  const start = object.segments[0]?.length ?? 0
  const bad = (name: string, comment: string, change: Partial<Scenario>): Scenario => ({
    name: `pad_${name}`,
    comment,
    object,
    expect: 'tail failure',
    released: D - C,
    ...change,
  })
  const moved = refitted({ ...object })
  return [
    bad('first_byte', 'the first byte of the pad is not zero', { flip: start }),
    bad('last_byte', 'the last byte of the pad is not zero', { flip: start + object.pad.length - 1 }),
    bad('behind_tail', 'the last byte of the pad stands behind the tail', {
      body: bodyOf({ ...moved, pad: moved.pad.subarray(1), tail: Buffer.concat([moved.tail, Buffer.of(0)]) }),
    }),
    bad('longer', 'the pad is one byte longer than the stored size allows', {
      body: bodyOf({ ...object, pad: Buffer.alloc(object.pad.length + 1) }),
      expect: 'size mismatch',
      released: 0,
    }),
  ]
}

function recoveries(): Scenario[] {
  const object = putObject(D, { seed: 'put_d' })
  const small = putObject(P, { seed: 'small' })
  const start = bodyOf(object).length - 16 - object.foot.length
  const recover = (name: string, comment: string, change: Partial<Scenario> = {}): Scenario => ({
    name: `recover_${name}`,
    comment,
    object,
    recover: true,
    ...change,
  })
  const bad = (name: string, comment: string, flip: number, expect: Scenario['expect']): Scenario =>
    recover(name, comment, { flip: start + flip, expect: expect ?? 'success' })
  const namespaceAt = object.envelope.length + 2
  return [
    recover('put_d', 'metadata was lost: the foot has the envelope'),
    recover('after_copy', 'metadata was lost after a copy: the foot names the place of creation', {
      object: copyOf(object, 'elsewhere'),
    }),
    recover('small', 'a small object has no foot', { object: small, expect: 'envelope failure' }),
    bad('version', 'the version of the envelope in the foot is unknown', 0, 'envelope failure'),
    bad('kid', 'the kid in the foot is damaged', 13, 'unwrap failure'),
    bad('sealed_key', 'the wrapped R in the foot is damaged', object.envelope.length - 1, 'unwrap failure'),
    bad('namespace', 'the namespace in the foot is damaged', namespaceAt, 'unwrap failure'),
    bad('namespace_length', 'the length of the namespace in the foot is damaged', namespaceAt - 1, 'envelope failure'),
    bad('key', 'the object key in the foot is damaged', namespaceAt + NAMESPACE.length + 2, 'unwrap failure'),
    recover('trailer', 'the magic of the trailer is damaged', { flip: -8, expect: 'tail failure' }),
    {
      name: 'foot_damaged',
      comment: 'the foot is damaged: an ordinary read verifies its length alone',
      object,
      flip: start + 20,
    },
  ]
}

/** Ranges of one segment. */
function ranges(): Scenario[] {
  const object = putObject(2 * C + P, { seed: 'three_chunks' })
  const whole = putObject(2 * C, { seed: 'put_2_chunks' })
  const range = (
    name: string,
    comment: string,
    first: number,
    last: number,
    change: Partial<Scenario> = {},
  ): Scenario => ({
    name: `range_${name}`,
    comment,
    object,
    range: [first, last],
    ...change,
  })
  const second = 64 + C + 16
  const bad = { expect: 'payload failure' } as const
  return [
    range('first_byte', 'the first byte', 0, 0),
    range('last_byte', 'the last byte', 2 * C + P - 1, 2 * C + P - 1),
    range('across_chunks', 'the last byte of one chunk and the first of the next', C - 1, C),
    range('one_chunk', 'exactly the second chunk', C, 2 * C - 1),
    range('everything', 'all bytes as a range', 0, 2 * C + P - 1),
    range('last_full_chunk', 'up to the end, where an empty last chunk follows that is not needed', C + 1, 2 * C - 1, {
      object: whole,
      flip: 64 + 2 * (C + 16),
    }),
    range('damage_elsewhere', 'the damage is in a chunk that the range does not need', 5, 9, { flip: second }),
    range('damaged', 'the damage is in the only chunk of the range', C + 5, C + 9, { flip: second, ...bad }),
    range('damaged_at_its_end', 'the damage is in the second chunk of the range', C - 10, C + 10, {
      flip: second,
      released: 10,
      ...bad,
    }),
    range('damaged_beside', 'the damage is in the same chunk, but outside the range', C + 5, C + 9, {
      flip: second + 60_000,
      ...bad,
    }),
    range('truncated', 'the object ends behind the range: its size is wrong', 0, 9, {
      body: bodyOf(object).subarray(0, -1),
      expect: 'size mismatch',
    }),
  ]
}
