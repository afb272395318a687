/** Vectors of tails, entries and areas of objects with several segments. */
import { CHUNK_BYTES as C, MIN_SEGMENT_BYTES as D, plaintextSize } from '../../../src/format/sizes.ts'
import { sealArea } from '../../../src/format/tail.ts'
import { textTlv, TLV, userMetadataTlv } from '../../../src/format/tlv.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import {
  bodyOf,
  copyOf,
  multipartObject,
  putObject,
  seededRandom,
  type Stored,
  totalOf,
  withRecord,
} from '../sealing.ts'
import type { Vector } from '../vector-file.ts'
import { PARTS, putCut, upload } from './multipart.ts'

/** The families of tails, entries and areas. */
export function multipartTailVectors(): Vector[] {
  return [...tails(), ...entries(), ...areas()].map(vectorOf)
}

/** A tail that is genuine, but not of this body. */
function tails(): Scenario[] {
  const object = upload()
  const other = multipartObject(PARTS, { seed: 'multipart_3_other' })
  const planned = (seed: string, parts: typeof PARTS | readonly [(typeof PARTS)[0], (typeof PARTS)[2]]): Stored =>
    multipartObject(parts, { seed, objectKey: object.objectKey, bucketKey: object.bucketKey })
  const fewer = planned('multipart_plan_of_two', [PARTS[0], PARTS[2]])
  const older = planned('multipart_3_older', PARTS)
  const withTail = (from: Stored): Buffer =>
    bodyOf({ ...object, pad: from.pad, tail: from.tail, trailer: from.trailer })
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
    bad('earlier_attempts', 'the tail of an earlier plan with older attempts of the same sizes', {
      body: withTail(older),
      expect: 'commitment failure',
    }),
    bad('earlier_plan', 'the tail of an earlier plan with fewer parts; the pad makes up for its length', {
      body: fitted(object, fewer),
      expect: 'size mismatch',
    }),
    bad('of_other_upload', 'the tail of another upload', { body: withTail(other), expect: 'commitment failure' }),
    bad('flipped', 'the tail is damaged', { flip: -16 - object.foot.length - 20 }),
    bad('trailer', 'the magic of the trailer is damaged', { flip: -1 }),
    bad('trailer_offset', 'the trailer names another offset', { flip: -9 }),
    bad('byte_dropped', 'a byte is missing in front; the stored size is that of another object', { body: shorter }),
    bad('truncated', 'the last byte is missing; the stored size is that of another object', {
      body: body.subarray(0, -1),
    }),
    {
      name: 'multipart_size_in_a_gap',
      comment: 'bytes are missing; the stored size is that of no object',
      object,
      body: body.subarray(0, gapBelow(body.length)),
      expect: 'size mismatch',
    },
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
  const cut = putCut()
  const AT = 162
  const bad = (name: string, comment: string, change: (record: Buffer) => void, of = object): Scenario => ({
    name: `multipart_entry_${name}`,
    comment,
    object: withRecord(of, change),
    expect: 'tail failure',
  })
  const size =
    (entry: number, bytes: number) =>
    (record: Buffer): void => {
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
    bad(
      'part_number_in_record',
      'a part number in the record, although there are entries',
      (record) => void (record[43] = 1),
    ),
    bad(
      'numbers_of_put',
      'kind 1, but the segments are not numbered 1, 2',
      (record) => void record.writeUInt16BE(3, AT + 120),
      cut,
    ),
    bad('md5_of_put', 'kind 1, but an entry has an MD5', (record) => void record.writeUInt16BE(1, AT + 2), cut),
    {
      ...bad(
        'salt',
        'the salt of the second entry is damaged',
        (record) => void (record[AT + 120 + 16] = record[AT + 136]! ^ 1),
      ),
      expect: 'commitment failure',
      released: D,
    },
    {
      ...bad('number', 'the second entry has another part number', (record) => void record.writeUInt16BE(4, AT + 120)),
      expect: 'commitment failure',
      released: D,
    },
  ]
}

const BASE_TLVS = [textTlv(TLV.contentType, 'image/jpeg')]
const [LONG, ZONE] = [userMetadataTlv('long', 'x'.repeat(500)), userMetadataTlv('zone', 'area')]
const AREA_TLVS = [LONG, ZONE]
/** Where the area begins in a record. */
const AREA = 162

function areas(): Scenario[] {
  const seed = 'multipart_area'
  const object = multipartObject(PARTS, { seed, tlvs: BASE_TLVS, area: AREA_TLVS })
  const merged = [...BASE_TLVS, ...AREA_TLVS]
  const other = userMetadataTlv('zone', 'headers')
  const both = 'multipart_area_and_headers'
  const png = [textTlv(TLV.contentType, 'image/png')]
  const replaced = (area: Buffer): Stored => withRecord(object, (record) => void area.copy(record, AREA))
  const sealed = (key: Buffer): Buffer => sealArea(key, AREA_TLVS, seededRandom('area of another'))
  const put = putObject(D, { seed: 'put_area', tlvs: BASE_TLVS, area: AREA_TLVS })
  const damaged = withRecord(object, (record) => void (record[AREA + 30] = record[AREA + 30]! ^ 1))
  return [
    { name: seed, comment: 'metadata that did not fit the headers is in the area', object, entries: merged },
    {
      name: 'put_area',
      comment: 'a PUT with flags 2 and 4: the area is read before the body',
      object: put,
      entries: merged,
    },
    {
      name: both,
      comment: 'one entry is in headers and area: the headers count',
      object: multipartObject(PARTS, { seed: both, area: AREA_TLVS, tlvs: [other] }),
      entries: [LONG, other],
    },
    {
      name: 'multipart_area_cleared',
      comment: 'new metadata was written over it: flag 4 is clear, the area does not count',
      object: copyOf(object, 'photos/2026/replaced.jpg', png, false),
    },
    {
      name: 'recover_area',
      comment: 'metadata was lost: what the area held is still there',
      object,
      recover: true,
      entries: AREA_TLVS,
    },
    {
      name: 'multipart_area_flipped',
      comment: 'the area does not open, although the tail does',
      object: damaged,
      expect: 'tail failure',
    },
    {
      name: 'put_area_flipped',
      comment: 'the area of a PUT does not open',
      object: withRecord(put, (record) => void (record[AREA + 30] = record[AREA + 30]! ^ 1)),
      expect: 'tail failure',
    },
    {
      name: 'multipart_area_of_other',
      comment: 'the area is sealed under another R',
      object: replaced(sealed(seededRandom('another R')(32))),
      expect: 'tail failure',
    },
    {
      name: 'multipart_area_resealed',
      comment: 'the area with another salt: nothing binds it but R',
      object: replaced(sealed(object.objectKey)),
      entries: merged,
    },
    {
      name: 'multipart_area_unneeded',
      comment: 'the area does not open, but flag 4 is clear and nobody needs it',
      object: copyOf(damaged, 'photos/2026/replaced.jpg', png, false),
    },
  ]
}
