/** Vectors of objects with several segments, or with one whose length only the tail has. */
import { CHUNK_BYTES as C, MIN_SEGMENT_BYTES as D, plaintextSize, storedSize } from '../../../src/format/sizes.ts'
import { sealArea } from '../../../src/format/tail.ts'
import { textTlv, TLV, userMetadataTlv } from '../../../src/format/tlv.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import { bodyOf, copyOf, multipartObject, putObject, seededRandom, type Stored, totalOf, withContent, withRecord } from '../sealing.ts'
import type { Vector } from '../vector-file.ts'

const PARTS = [
  { partNumber: 1, bytes: D },
  { partNumber: 3, bytes: D },
  { partNumber: 7, bytes: 1000 },
] as const
const P = 2 * D + 1000
const SEED = 'multipart_3'

/** The multipart families. */
export function multipartVectors(): Vector[] {
  return [...whole(), ...layouts(), ...tails(), ...entries(), ...areas(), ...ranges(), ...oneSegment()].map(vectorOf)
}

function upload(): Stored {
  return multipartObject(PARTS, { seed: SEED })
}

function whole(): Scenario[] {
  const object = upload()
  const two = (last: number, seed: string): Stored => multipartObject([PARTS[0], { partNumber: 2, bytes: last }], { seed })
  const cut = multipartObject([{ partNumber: 1, bytes: D }, { partNumber: 2, bytes: 70_000 }], { seed: 'put_cut', gatewayParts: true })
  const checksum = { algorithm: 2, type: 1, value: Buffer.from('01020304', 'hex') }
  return [
    { name: SEED, comment: 'three parts; part numbers have gaps', object },
    { name: 'multipart_last_empty', comment: 'the last part is empty', object: two(0, 'multipart_last_empty') },
    { name: 'multipart_last_large', comment: 'the last part is the largest, and a multiple of C', object: two(D + C, 'multipart_last_large') },
    { name: 'multipart_checksum', comment: 'a composite checksum in the tail', object: multipartObject(PARTS, { seed: 'multipart_checksum', checksum }) },
    { name: 'put_cut', comment: 'kind 1 in two segments: a PUT that the gateway cut', object: cut },
    { name: 'copy_of_multipart', comment: 'copied at the provider in other pieces: the body is the same, whatever its part boundaries', object: copyOf(object, 'photos/2026/copy.jpg') },
    { name: 'recover_multipart', comment: 'three parts whose metadata was lost', object, recover: true },
    { name: 'recover_multipart_after_copy', comment: 'three parts, copied, then metadata was lost', object: copyOf(object, 'elsewhere'), recover: true },
  ]
}

/** Valid segments of one upload in a place where they do not belong. */
function layouts(): Scenario[] {
  const object = upload()
  const [first, second, third] = object.segments as [Buffer, Buffer, Buffer]
  const again = multipartObject(PARTS, { seed: 'multipart_3_older', objectKey: object.objectKey, bucketKey: object.bucketKey })
  const [, older] = again.segments as [Buffer, Buffer, Buffer]
  const stranger = multipartObject(PARTS, { seed: 'multipart_3_other' }).segments[1]!
  const put = putObject(D, { seed: 'put_of_same_r', objectKey: object.objectKey }).segments[0]!
  const bad = (name: string, comment: string, segments: readonly Buffer[], released: number): Scenario => ({
    name: `multipart_${name}`,
    comment,
    object,
    body: bodyOf({ ...object, segments }),
    expect: 'commitment failure',
    released,
  })
  const dropped = [first, third, Buffer.alloc(second.length)]
  return [
    bad('reordered', 'the first two parts are exchanged', [second, first, third], 0),
    bad('duplicated', 'the first part stands in the place of the second too', [first, first, third], D),
    bad('dropped', 'the second part is missing; zeros make up for its length', dropped, D),
    bad('older_attempt', 'the second part is an older attempt under the same R and part number', [first, older, third], D),
    bad('of_other_upload', 'the second part is that of another upload', [first, stranger, third], D),
    bad('segment_of_put', 'the second part is a segment of type 1 under the same R', [first, put, third], D),
    { ...bad('older_attempt_range', 'an older attempt, read as a range: no chunk verifies under the recorded salt', [first, older, third], 0), range: [D + 5, D + 9], expect: 'payload failure' },
    { ...bad('last_dropped', 'the last part is missing', [first, second], 0), expect: 'size mismatch' },
    { ...bad('part_added', 'a part is repeated at the end of the segments', [first, second, third, third], 0), expect: 'size mismatch' },
    { name: 'multipart_chunk_flipped', comment: 'one chunk of the second part is damaged', object, flip: first.length + 64 + 5 * (C + 16), expect: 'payload failure', released: D + 5 * C },
    { name: 'multipart_last_chunk_flipped', comment: 'the last chunk is damaged', object, flip: first.length + second.length + 64, expect: 'payload failure', released: 2 * D },
    { name: 'multipart_header_flipped', comment: 'the header of the third part is damaged', object, flip: first.length + second.length + 8, expect: 'commitment failure', released: 2 * D },
    { name: 'multipart_pad_flipped', comment: 'a byte of the pad is not zero', object, flip: totalOf(object.segments) + 10, expect: 'tail failure' },
  ]
}

/** A tail that is genuine, but not of this body. */
function tails(): Scenario[] {
  const object = upload()
  const other = multipartObject(PARTS, { seed: 'multipart_3_other' })
  const planned = (seed: string, parts: typeof PARTS | readonly [(typeof PARTS)[0], (typeof PARTS)[2]]): Stored =>
    multipartObject(parts, { seed, objectKey: object.objectKey, bucketKey: object.bucketKey })
  const fewer = planned('multipart_plan_of_two', [PARTS[0], PARTS[2]])
  const older = planned('multipart_3_older', PARTS)
  const withTail = (from: Stored): Buffer => bodyOf({ ...object, pad: from.pad, tail: from.tail, trailer: from.trailer })
  const body = bodyOf(object)
  const shorter = Buffer.concat([body.subarray(0, 100), body.subarray(101)])
  if (plaintextSize(shorter.length) === undefined) throw new Error('this scenario needs a valid size')
  const bad = (name: string, comment: string, change: Partial<Scenario>): Scenario => ({
    name: `multipart_tail_${name}`,
    comment,
    object,
    expect: 'tail failure',
    ...change,
  })
  return [
    bad('earlier_attempts', 'the tail of an earlier plan with older attempts of the same sizes', { body: withTail(older), expect: 'commitment failure' }),
    bad('earlier_plan', 'the tail of an earlier plan with fewer parts; the pad makes up for its length', { body: fitted(object, fewer), expect: 'size mismatch' }),
    bad('of_other_upload', 'the tail of another upload', { body: withTail(other), expect: 'commitment failure' }),
    bad('flipped', 'the tail is damaged', { flip: -16 - object.foot.length - 20 }),
    bad('trailer', 'the magic of the trailer is damaged', { flip: -1 }),
    bad('trailer_offset', 'the trailer names another offset', { flip: -9 }),
    bad('byte_dropped', 'a byte is missing in front; the stored size is that of another object', { body: shorter }),
    bad('truncated', 'the last byte is missing; the stored size is that of another object', { body: body.subarray(0, -1) }),
    { name: 'multipart_size_in_a_gap', comment: 'bytes are missing; the stored size is that of no object', object, body: body.subarray(0, gapBelow(body.length)), expect: 'size mismatch' },
  ]
}

/** The body of `object` with the tail of another plan of the same R: pad and offsets are made to fit the stored size. */
function fitted(object: Stored, plan: Stored): Buffer {
  const room = object.pad.length + object.tail.length + object.foot.length - plan.tail.length - plan.foot.length
  const pad = Buffer.alloc(room)
  const offset = totalOf(object.segments) + room
  const trailer = Buffer.from(plan.trailer)
  trailer.writeUIntBE(offset, 2, 6)
  const moved = withRecord(plan, (record) => void record.writeBigUInt64BE(BigInt(offset), 16))
  return bodyOf({ ...moved, segments: object.segments, pad, trailer })
}

function gapBelow(storedBytes: number): number {
  for (let s = storedBytes; s > storedBytes - 2 * C; s--) if (plaintextSize(s) === undefined) return s
  throw new Error('no gap')
}

/** Entries that no writer writes, sealed as they should be. */
function entries(): Scenario[] {
  const object = upload()
  const cut = multipartObject([{ partNumber: 1, bytes: D }, { partNumber: 2, bytes: 70_000 }], { seed: 'put_cut', gatewayParts: true })
  const AT = 162
  const bad = (name: string, comment: string, change: (record: Buffer) => void, of = object): Scenario => ({
    name: `multipart_entry_${name}`,
    comment,
    object: withRecord(of, change),
    expect: 'tail failure',
  })
  const size = (entry: number, bytes: number) => (record: Buffer): void => {
    record.writeBigUInt64BE(BigInt(bytes), AT + 120 * entry + 8)
  }
  return [
    bad('exchanged', 'two entries are exchanged', (record) => {
      const entry = Buffer.from(record.subarray(AT, AT + 120))
      record.copyWithin(AT, AT + 120, AT + 240)
      entry.copy(record, AT + 120)
    }),
    bad('repeated_number', 'two entries have the same part number', (record) => void record.writeUInt16BE(1, AT + 120)),
    bad('number_0', 'part number 0', (record) => void record.writeUInt16BE(0, AT)),
    bad('number_10001', 'part number 10,001', (record) => void record.writeUInt16BE(10_001, AT + 240)),
    bad('flag_unknown', 'flag 4 of an entry is not known', (record) => void record.writeUInt16BE(5, AT + 2)),
    bad('reserved', 'a reserved byte is not zero', (record) => void (record[AT + 7] = 1)),
    bad('md5_without_flag', 'an MD5 without its flag', (record) => void record.writeUInt16BE(0, AT + 2)),
    bad('checksum_without_flag', 'a checksum without its flag', (record) => void (record[AT + 56] = 1)),
    bad('sizes_do_not_sum', 'the sizes do not sum to P', size(2, 999)),
    bad('too_small', 'a part below D that is not the last; the sizes sum to P', (record) => {
      size(0, D - 1)(record)
      size(1, D + 1)(record)
    }),
    bad('salt_in_record', 'a salt in the record, although there are entries', (record) => void (record[108] = 1)),
    bad('part_number_in_record', 'a part number in the record, although there are entries', (record) => void (record[43] = 1)),
    bad('numbers_of_put', 'kind 1, but the segments are not numbered 1, 2', (record) => void record.writeUInt16BE(3, AT + 120), cut),
    bad('md5_of_put', 'kind 1, but an entry has an MD5', (record) => void record.writeUInt16BE(1, AT + 2), cut),
    { ...bad('salt', 'the salt of the second entry is damaged', (record) => void (record[AT + 120 + 16] = record[AT + 136]! ^ 1)), expect: 'commitment failure', released: D },
    { ...bad('number', 'the second entry has another part number', (record) => void record.writeUInt16BE(4, AT + 120)), expect: 'commitment failure', released: D },
  ]
}

const AREA_TLVS = [userMetadataTlv('long', 'x'.repeat(500)), userMetadataTlv('zone', 'area')]

function areas(): Scenario[] {
  const seed = 'multipart_area'
  const object = multipartObject(PARTS, { seed, area: AREA_TLVS })
  const offset = 162
  const replaced = (area: Buffer): Stored => withRecord(object, (record) => void area.copy(record, offset))
  const sealed = (key: Buffer): Buffer => sealArea(key, AREA_TLVS, seededRandom('area of another'))
  const doubled = multipartObject(PARTS, { seed: 'multipart_area_and_headers', area: AREA_TLVS, tlvs: [userMetadataTlv('zone', 'headers')] })
  const replacedHeaders = copyOf(object, 'photos/2026/replaced.jpg', [textTlv(TLV.contentType, 'image/png')], false)
  const disordered = withRecord(object, (record) => record)
  return [
    { name: seed, comment: 'metadata that did not fit the headers is in the area', object },
    { name: 'multipart_area_and_headers', comment: 'one entry is in headers and area: the headers count', object: doubled },
    { name: 'multipart_area_cleared', comment: 'new metadata was written over it: flag 4 is clear, the area does not count', object: replacedHeaders },
    { name: 'recover_area', comment: 'metadata was lost: what the area held is still there', object, recover: true },
    { name: 'multipart_area_flipped', comment: 'the area does not open, although the tail does', object: withRecord(object, (record) => void (record[offset + 30] = record[offset + 30]! ^ 1)), expect: 'tail failure' },
    { name: 'multipart_area_of_other', comment: 'the area is sealed under another R', object: replaced(sealed(seededRandom('another R')(32))), expect: 'tail failure' },
    { name: 'multipart_area_resealed', comment: 'the area with another salt: nothing binds it but R', object: replaced(sealed(disordered.objectKey)) },
  ]
}

function ranges(): Scenario[] {
  const object = upload()
  const range = (name: string, comment: string, first: number, last: number, change: Partial<Scenario> = {}): Scenario => ({
    name: `multipart_range_${name}`,
    comment,
    object,
    range: [first, last],
    ...change,
  })
  const [first, second] = object.segments as [Buffer, Buffer, Buffer]
  return [
    range('in_second', 'inside the second part', D + 100, D + 199),
    range('across', 'the last byte of one part and the first of the next', D - 1, D),
    range('across_three', 'from the first part into the third', D - 3, 2 * D + 2),
    range('last_byte', 'the last byte', P - 1, P - 1),
    range('header_damaged', 'a header that the range reads over is damaged: a whole read compares it, and so does a range', D - 1, D, {
      flip: first.length + 40,
      expect: 'commitment failure',
      released: 1,
    }),
    range('damage_elsewhere', 'the damage is in another part', 0, 9, { flip: first.length + 100 }),
    range('damaged', 'the damage is in the second part of the range', D - 2, D + 2, { flip: first.length + 100, expect: 'payload failure', released: 2 }),
    range('tail_damaged', 'the tail is damaged: nothing can be mapped', 0, 9, { flip: -16 - object.foot.length - 20, expect: 'tail failure' }),
    range('header_not_in_range', 'the header in front of the range is damaged, and not read', D + 5, D + 9, { flip: first.length + 40 }),
    range('third_header', 'the header of a part that the range does not touch is damaged', D + 5, D + 9, { flip: first.length + second.length + 40 }),
  ]
}

/** N = 1 of both kinds, below and above D. */
function oneSegment(): Scenario[] {
  const one = (bytes: number, seed: string): Stored => multipartObject([{ partNumber: 5, bytes }], { seed })
  const small = one(100, 'multipart_one_small')
  const large = one(D + 5, 'multipart_one_large')
  const put = putObject(D + 5, { seed: 'put_one_large', tailFirst: true })
  if (bodyOf(small).length !== storedSize(100)) throw new Error('the stored size depends on how it was written')
  return [
    { name: 'multipart_one_small', comment: 'an upload of one part below D', object: small },
    { name: 'multipart_one_empty', comment: 'an upload of one empty part', object: one(0, 'multipart_one_empty') },
    { name: 'multipart_one_large', comment: 'an upload of one part above D', object: large },
    { name: 'multipart_one_range', comment: 'a range of an upload of one part', object: small, range: [10, 19] },
    { name: 'put_one_large', comment: 'a PUT above D with flag 1', object: put },
    { name: 'multipart_one_flipped', comment: 'an upload of one part, damaged', object: small, flip: 70, expect: 'payload failure' },
    { name: 'multipart_one_number', comment: 'the header has another part number than the record', object: small, patch: { offset: 6, bytes: Buffer.from([0, 6]) }, expect: 'commitment failure' },
    { name: 'multipart_one_kind', comment: 'the record says PUT, the segment is that of a part', object: withRecord(small, (record) => void Buffer.from([1]).copy(zeroPart(record), 1)), expect: 'commitment failure' },
    { name: 'multipart_one_truncated', comment: 'the last byte is missing; the stored size is that of another object', object: small, body: bodyOf(small).subarray(0, -1), expect: 'tail failure' },
    { name: 'multipart_one_generation', comment: 'sealed metadata and tail have different generations, as after a Complete', object: withContent(small, (content) => void (content[66] = content[66]! ^ 1)) },
  ]
}

function zeroPart(record: Buffer): Buffer {
  record.writeUInt16BE(0, 42)
  return record
}
