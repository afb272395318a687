/** Vectors of objects with several segments, or with one whose length only the tail has. */
import { CHUNK_BYTES as C, MIN_SEGMENT_BYTES as D, storedSize } from '../../../src/format/sizes.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import {
  bodyOf,
  copyOf,
  multipartObject,
  putObject,
  type Stored,
  totalOf,
  withContent,
  withRecord,
} from '../sealing.ts'
import type { Vector } from '../vector-file.ts'

/** The parts of the upload that most scenarios are about. */
export const PARTS = [
  { partNumber: 1, bytes: D },
  { partNumber: 3, bytes: D },
  { partNumber: 7, bytes: 1000 },
] as const
const P = 2 * D + 1000
const SEED = 'multipart_3'

/** The multipart families. */
export function multipartVectors(): Vector[] {
  return [...whole(), ...layouts(), ...ranges(), ...oneSegment()].map(vectorOf)
}

/** An upload of three parts. */
export function upload(): Stored {
  return multipartObject(PARTS, { seed: SEED })
}

function threeSegmentsOf({ segments: [first, second, third] }: Stored): [Buffer, Buffer, Buffer] {
  if (!first || !second || !third) throw new Error('an object of fewer than three segments')
  return [first, second, third]
}

/** A PUT that the gateway wrote in two segments. */
export function putCut(): Stored {
  const parts = [PARTS[0], { partNumber: 2, bytes: 70_000 }]
  return multipartObject(parts, { seed: 'put_cut', gatewayParts: true })
}

function whole(): Scenario[] {
  const object = upload()
  const two = (last: number, seed: string): Stored =>
    multipartObject([PARTS[0], { partNumber: 2, bytes: last }], { seed })
  const cut = putCut()
  const checksum = { algorithm: 2, type: 1, value: Buffer.from('01020304', 'hex') }
  return [
    { name: SEED, comment: 'three parts; part numbers have gaps', object },
    { name: 'multipart_last_empty', comment: 'the last part is empty', object: two(0, 'multipart_last_empty') },
    {
      name: 'multipart_last_large',
      comment: 'the last part is the largest, and a multiple of C',
      object: two(D + C, 'multipart_last_large'),
    },
    {
      name: 'multipart_checksum',
      comment: 'a composite checksum in the tail',
      object: multipartObject(PARTS, { seed: 'multipart_checksum', checksum }),
    },
    { name: 'put_cut', comment: 'kind 1 in two segments: a PUT that the gateway cut', object: cut },
    {
      name: 'copy_of_multipart',
      comment: 'copied at the provider in other pieces: the body is the same, whatever its part boundaries',
      object: copyOf(object, 'photos/2026/copy.jpg'),
    },
    { name: 'recover_multipart', comment: 'three parts whose metadata was lost', object, recover: true },
    {
      name: 'recover_multipart_after_copy',
      comment: 'three parts, copied, then metadata was lost',
      object: copyOf(object, 'elsewhere'),
      recover: true,
    },
  ]
}

/** Valid segments of one upload in a place where they do not belong. */
function layouts(): Scenario[] {
  const object = upload()
  const [first, second, third] = threeSegmentsOf(object)
  const again = multipartObject(PARTS, {
    seed: 'multipart_3_older',
    objectKey: object.objectKey,
    bucketKey: object.bucketKey,
  })
  const [, older] = threeSegmentsOf(again)
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
    bad(
      'older_attempt',
      'the second part is an older attempt under the same R and part number',
      [first, older, third],
      D,
    ),
    bad('of_other_upload', 'the second part is that of another upload', [first, stranger, third], D),
    bad('segment_of_put', 'the second part is a segment of type 1 under the same R', [first, put, third], D),
    {
      ...bad(
        'older_attempt_range',
        'an older attempt, read as a range: no chunk verifies under the recorded salt',
        [first, older, third],
        0,
      ),
      range: [D + 5, D + 9],
      expect: 'payload failure',
    },
    { ...bad('last_dropped', 'the last part is missing', [first, second], 0), expect: 'size mismatch' },
    {
      ...bad('part_added', 'a part is repeated at the end of the segments', [first, second, third, third], 0),
      expect: 'tail failure',
    },
    {
      name: 'multipart_chunk_flipped',
      comment: 'one chunk of the second part is damaged',
      object,
      flip: first.length + 64 + 5 * (C + 16),
      expect: 'payload failure',
      released: D + 5 * C,
    },
    {
      name: 'multipart_last_chunk_flipped',
      comment: 'the last chunk is damaged',
      object,
      flip: first.length + second.length + 64,
      expect: 'payload failure',
      released: 2 * D,
    },
    {
      name: 'multipart_header_flipped',
      comment: 'the header of the third part is damaged',
      object,
      flip: first.length + second.length + 8,
      expect: 'commitment failure',
      released: 2 * D,
    },
    {
      name: 'multipart_pad_first_byte',
      comment: 'the first byte of the pad is not zero; the last bytes, which are read for the tail, do not show it',
      object,
      flip: totalOf(object.segments),
      expect: 'tail failure',
      released: 2 * D,
    },
    {
      name: 'multipart_pad_last_byte',
      comment: 'the last byte of the pad is not zero; who reads the tail sees it',
      object,
      flip: totalOf(object.segments) + object.pad.length - 1,
      expect: 'tail failure',
    },
  ]
}

function ranges(): Scenario[] {
  const object = upload()
  const range = (
    name: string,
    comment: string,
    first: number,
    last: number,
    change: Partial<Scenario> = {},
  ): Scenario => ({
    name: `multipart_range_${name}`,
    comment,
    object,
    range: [first, last],
    ...change,
  })
  const [first, second] = threeSegmentsOf(object)
  return [
    range('in_second', 'inside the second part', D + 100, D + 199),
    range('across', 'the last byte of one part and the first of the next', D - 1, D),
    range('across_three', 'from the first part into the third', D - 3, 2 * D + 2),
    range('last_byte', 'the last byte', P - 1, P - 1),
    range('header_damaged', 'a header that lies inside the stored range is damaged', D - 1, D, {
      flip: first.length + 40,
      expect: 'commitment failure',
      released: 1,
    }),
    range('damage_elsewhere', 'the damage is in another part', 0, 9, { flip: first.length + 100 }),
    range('damaged', 'the damage is in the second part of the range', D - 2, D + 2, {
      flip: first.length + 100,
      expect: 'payload failure',
      released: 2,
    }),
    range('tail_damaged', 'the tail is damaged: nothing can be mapped', 0, 9, {
      flip: -16 - object.foot.length - 20,
      expect: 'tail failure',
    }),
    range('header_not_in_range', 'the header in front of the range is damaged, and not read', D + 5, D + 9, {
      flip: first.length + 40,
    }),
    range('third_header', 'the header of a part that the range does not touch is damaged', D + 5, D + 9, {
      flip: first.length + second.length + 40,
    }),
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
    {
      name: 'multipart_one_flipped',
      comment: 'an upload of one part, damaged',
      object: small,
      flip: 70,
      expect: 'payload failure',
    },
    {
      name: 'multipart_one_number',
      comment: 'the header has another part number than the record',
      object: small,
      patch: { offset: 6, bytes: Buffer.from([0, 6]) },
      expect: 'commitment failure',
    },
    {
      name: 'multipart_one_kind',
      comment: 'the record says PUT, the segment is that of a part',
      object: withRecord(small, (record) => void Buffer.from([1]).copy(zeroPart(record), 1)),
      expect: 'commitment failure',
    },
    {
      name: 'multipart_one_truncated',
      comment: 'the last byte is missing; the stored size is that of another object',
      object: small,
      body: bodyOf(small).subarray(0, -1),
      expect: 'tail failure',
    },
    {
      name: 'multipart_one_generation',
      comment: 'sealed metadata and tail have different generations, as after a Complete',
      object: withContent(small, (content) => void (content[66] = content[66]! ^ 1)),
    },
  ]
}

function zeroPart(record: Buffer): Buffer {
  record.writeUInt16BE(0, 42)
  return record
}
