import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { sealSegment, TAIL } from '../../src/format/segment.ts'
import { MAX_SEGMENTS, MIN_SEGMENT_BYTES, segmentSize, storedSize, tailReadSize } from '../../src/format/sizes.ts'
import {
  finishObject,
  finishParts,
  isZeros,
  openArea,
  openTail,
  sealArea,
  type TailContent,
  zeroPieces,
} from '../../src/format/tail.ts'
import { encodeTail } from '../../src/format/tail-record.ts'
import { TLV, textTlv, userMetadataTlv } from '../../src/format/tlv.ts'
import { expectRefusal, flipped, layerOf, lengthOf, SUITE, sealObject, seeded } from './sealed-objects.ts'

const D = MIN_SEGMENT_BYTES
const KEY = seeded('tail key')(32)
const random = seeded('tail')

/** A tail of segments that exist in numbers alone, and the end of the object it closes. */
function finished(content: Partial<TailContent>, sizes: readonly number[], foot: Buffer = Buffer.alloc(0)) {
  const plaintextBytes = sizes.reduce((sum, size) => sum + size, 0)
  const several = sizes.length > 1
  const whole: TailContent = {
    kind: several ? 2 : 1,
    md5Valid: false,
    checksumValid: false,
    segments: sizes.length,
    plaintextBytes,
    md5: Buffer.alloc(16),
    partNumber: 0,
    salt: several ? Buffer.alloc(24) : random(24),
    generation: random(8),
    writeTime: 1,
    entries: several ? sizes.map((size, i) => ({ partNumber: i + 1, plaintextBytes: size, salt: random(24) })) : [],
    ...content,
  }
  const segmentsStoredBytes = sizes.reduce((sum, size) => sum + segmentSize(size), 0)
  const pieces = finishObject({ objectKey: KEY, content: whole, segmentsStoredBytes, foot, random })
  const storedBytes = storedSize(plaintextBytes)
  expect(segmentsStoredBytes + lengthOf(pieces)).toBe(storedBytes)
  const end = Buffer.concat(pieces)
  const wanted = tailReadSize(storedBytes) ?? 0
  const before = Buffer.alloc(Math.max(0, wanted - end.length), 0xff)
  return { content: whole, end, storedBytes, suffix: Buffer.concat([before, end]).subarray(-wanted) }
}

describe('the end of an object', () => {
  test('opens from the range that is read for it', () => {
    for (const size of [0, 1, 65_536, D - 1, D, D + 1, 60_000_000_000, 5_496_214_282_712]) {
      const foot = size < D ? Buffer.alloc(0) : random(2_048)
      const { content, suffix, storedBytes } = finished({}, [size], foot)
      const opened = openTail(KEY, suffix, storedBytes, SUITE)
      expect(opened.record).toMatchObject({ ...content, footPresent: size >= D, areaUsed: false })
      expect(opened.foot.equals(foot)).toBe(true)
    }
  })

  test('of 10,000 segments opens with every entry, area and foot at their most', () => {
    const sizes = Array.from({ length: MAX_SEGMENTS }, (_, i) => (i === MAX_SEGMENTS - 1 ? 0 : D + (i % 3)))
    const area = random(4_096)
    const { content, suffix, storedBytes } = finished({ area }, sizes, random(2_048))
    const { record } = openTail(KEY, suffix, storedBytes, SUITE)
    expect(record.entries).toHaveLength(MAX_SEGMENTS)
    const expected = encodeTail({ ...content, tailOffset: record.tailOffset, areaUsed: true, footPresent: true })
    expect(encodeTail(record).equals(expected)).toBe(true)
  })

  test('has its pad in shared slices, up to two megabytes', () => {
    const { pieces, padBytes } = finishParts({
      objectKey: KEY,
      content: finished({}, [60_000_000_000]).content,
      segmentsStoredBytes: segmentSize(60_000_000_000),
      foot: Buffer.alloc(0),
      random,
    })
    expect(padBytes).toBeGreaterThan(2_000_000)
    expect(lengthOf(pieces)).toBeLessThan(1_000)
    const zeros = zeroPieces(padBytes)
    expect(lengthOf(zeros)).toBe(padBytes)
    expect(new Set(zeros.map((piece) => piece.buffer)).size).toBe(1)
    expect(isZeros(Buffer.concat(zeros))).toBe(true)
    expect(zeroPieces(0)).toEqual([])
  })

  test('of a small object refuses every turned bit', () => {
    const { suffix, storedBytes } = finished({}, [100])
    const begin = storedBytes - 256
    for (let at = begin; at < storedBytes; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const layer = layerOf(() => openTail(KEY, flipped(suffix, at, bit), storedBytes, SUITE))
        expect(layer === 'tail failure' || layer === 'commitment failure').toBe(true)
      }
    }
  })

  test('of a large object refuses a turned bit in pad, tail and trailer; the foot is its own', () => {
    const { end, suffix, storedBytes } = finished({}, [D, D + 5], random(100))
    const start = suffix.length - end.length
    const opens = (at: number): boolean =>
      layerOf(() => openTail(KEY, flipped(suffix, at), storedBytes, SUITE)) === undefined
    const last = suffix.length
    for (let at = Math.max(0, start); at < last; at++) {
      const inFoot = at >= last - 116 && at < last - 16
      if (opens(at) !== inFoot) expect(`${at} of ${last} opens: ${!inFoot}`).toBe(`${at} of ${last} opens: ${inFoot}`)
    }
  })

  test('refuses a tail under another key by its commitment', () => {
    const { suffix, storedBytes } = finished({}, [5])
    expectRefusal('commitment failure', () => openTail(flipped(KEY, 0), suffix, storedBytes, SUITE))
  })

  test('refuses a stored size that no object has, or that another object has', () => {
    const { suffix, storedBytes } = finished({}, [5])
    expectRefusal('size mismatch', () => openTail(KEY, suffix, 335, SUITE))
    const longer = Buffer.concat([Buffer.alloc(1), suffix])
    expectRefusal(
      'tail failure',
      () => openTail(KEY, longer.subarray(0, storedBytes + 1), storedBytes + 1, SUITE).record,
    )
  })

  test('refuses a genuine tail whose record demands another size', () => {
    const { content } = finished({}, [5])
    const record = { ...content, tailOffset: 85, areaUsed: false, footPresent: false, plaintextBytes: 6 }
    const tail = Buffer.concat(
      sealSegment({ objectKey: KEY, type: TAIL, partNumber: 0, random }, encodeTail(record)).pieces,
    )
    const { suffix, storedBytes } = finished({}, [5])
    const forged = Buffer.concat([suffix.subarray(0, 85), tail, suffix.subarray(-16)])
    expectRefusal('size mismatch', () => openTail(KEY, forged, storedBytes, SUITE))
  })

  test('refuses a data segment in the place of the tail', () => {
    const { content, suffix, storedBytes } = finished({}, [5])
    const record = encodeTail({ ...content, tailOffset: 85, areaUsed: false, footPresent: false })
    const other = Buffer.concat(sealSegment({ objectKey: KEY, type: 1, partNumber: 0, random }, record).pieces)
    const forged = Buffer.concat([suffix.subarray(0, 85), other, suffix.subarray(-16)])
    expectRefusal('tail failure', () => openTail(KEY, forged, storedBytes, SUITE))
    expectRefusal('tail failure', () => openTail(KEY, suffix, storedBytes, 2))
  })

  test('refuses less than the range that holds it', () => {
    const { suffix, storedBytes } = finished({}, [5])
    expectRefusal('tail failure', () => openTail(KEY, suffix.subarray(1), storedBytes, SUITE))
    expect(() => openTail(KEY, Buffer.concat([suffix, suffix]), storedBytes, SUITE)).toThrow(Internal)
  })

  test('is not written with a foot that is too long or on an object that is too small for one', () => {
    expect(() => finished({}, [D], Buffer.alloc(2_049))).toThrow(Internal)
    expect(() => finished({}, [D - 1], Buffer.alloc(1))).toThrow(Internal)
  })

  test('is not written when the segments do not add up', () => {
    expect(() => finished({ plaintextBytes: 2 * D + 1 }, [D, D])).toThrow(Internal)
  })
})

describe('a real object', () => {
  test('opens its tail from the whole of it as from its end', () => {
    const object = sealObject({ seed: 'whole', kind: 1, sizes: [70_000] })
    const suffix = object.stored.subarray(-(tailReadSize(object.stored.length) ?? 0))
    expect(openTail(object.objectKey, suffix, object.stored.length, SUITE).record).toEqual(object.record)
  })
})

describe('the area', () => {
  test('gives back its entries in order', () => {
    const tlvs = [userMetadataTlv('b', '2'), userMetadataTlv('a', '1'), textTlv(TLV.contentType, 'text/plain')]
    const sealed = sealArea(KEY, tlvs, random)
    expect(openArea(KEY, sealed)).toEqual([tlvs[2], tlvs[1], tlvs[0]])
  })

  test('takes 4,056 bytes of entries, not one more, and not none', () => {
    const sealed = sealArea(KEY, [textTlv(1, 'x'.repeat(4_053))], random)
    expect(sealed).toHaveLength(4_096)
    expect(() => sealArea(KEY, [textTlv(1, 'x'.repeat(4_054))], random)).toThrow(Internal)
    expect(() => sealArea(KEY, [], random)).toThrow(Internal)
  })

  test('refuses every turned bit and another key', () => {
    const sealed = sealArea(KEY, [textTlv(1, 'text/plain')], random)
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.nat(7), (at, bit) => {
        expectRefusal('tail failure', () => openArea(KEY, flipped(sealed, at, bit)))
      }),
    )
    expectRefusal('tail failure', () => openArea(flipped(KEY, 0), sealed))
  })
})
