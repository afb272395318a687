/** Sealed objects for tests, from random bytes that a seed fixes. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { Integrity, type IntegrityLayer } from '../../src/errors.ts'
import { newGeneration, newObjectKey, type RandomSource } from '../../src/format/derive.ts'
import { type Layout, layoutOfMetadata, layoutOfTail } from '../../src/format/layout.ts'
import { ObjectOpener, RangeOpener } from '../../src/format/open-object.ts'
import { DATA_OF_PART, DATA_OF_PUT, SegmentSealer } from '../../src/format/segment.ts'
import { finishObject, openTail, sealArea, type TailContent } from '../../src/format/tail.ts'
import type { TailRecord } from '../../src/format/tail-record.ts'
import type { Tlv } from '../../src/format/tlv.ts'

export const SUITE = 1

/** Random bytes that never repeat within one source and are the same for the same seed. */
export function seeded(seed: string): RandomSource {
  let draws = 0
  return (bytes) => {
    draws += 1
    const out = createHash('shake256', { outputLength: bytes }).update(`${seed} ${draws}`).digest()
    return out
  }
}

export interface SealedObject {
  readonly objectKey: Buffer
  readonly plaintext: Buffer
  readonly stored: Buffer
  /** From the metadata for a PUT of one segment, else from the tail. */
  readonly layout: Layout
  readonly record: TailRecord
}

export interface ObjectShape {
  readonly seed: string
  readonly kind: 1 | 2
  /** Plaintext bytes of each segment. */
  readonly sizes: readonly number[]
  /** By default 1, 2, 3, … */
  readonly partNumbers?: readonly number[]
  readonly foot?: Buffer
  readonly area?: readonly Tlv[]
  readonly objectKey?: Buffer
  readonly plaintext?: Buffer
}

/** A whole object of the given shape, as a writer makes it. */
export function sealObject(shape: ObjectShape): SealedObject {
  const random = seeded(shape.seed)
  const objectKey = shape.objectKey ?? newObjectKey(random)
  const total = shape.sizes.reduce((sum, size) => sum + size, 0)
  const plaintext = shape.plaintext ?? seeded(`${shape.seed} plaintext`)(total)
  const isPut = shape.kind === 1 && shape.sizes.length === 1
  const type = isPut ? DATA_OF_PUT : DATA_OF_PART
  const pieces: Buffer[] = []
  const sealers: SegmentSealer[] = []
  let at = 0
  for (const [i, size] of shape.sizes.entries()) {
    const partNumber = isPut ? 0 : (shape.partNumbers?.[i] ?? i + 1)
    const sealer = new SegmentSealer({ objectKey, type, partNumber, random })
    pieces.push(sealer.header, ...sealer.update(plaintext.subarray(at, at + size)), ...sealer.final())
    sealers.push(sealer)
    at += size
  }
  const segmentsStoredBytes = lengthOf(pieces)
  const content = contentOf(shape, total, sealers, random, objectKey)
  const foot = shape.foot ?? Buffer.alloc(0)
  const stored = Buffer.concat([...pieces, ...finishObject({ objectKey, content, segmentsStoredBytes, foot, random })])
  const { record } = openTail(objectKey, stored, stored.length, SUITE)
  const [first] = sealers
  const layout =
    isPut && first !== undefined
      ? layoutOfMetadata(
          SUITE,
          { plaintextBytes: total, salt: first.salt, commitment: first.commitment },
          stored.length,
        )
      : layoutOfTail(SUITE, record, stored.length)
  return { objectKey, plaintext, stored, layout, record }
}

function contentOf(
  shape: ObjectShape,
  total: number,
  sealers: readonly SegmentSealer[],
  random: RandomSource,
  objectKey: Buffer,
): TailContent {
  const several = sealers.length > 1
  const numbers = shape.partNumbers ?? sealers.map((_, i) => i + 1)
  return {
    kind: shape.kind,
    md5Valid: true,
    checksumValid: false,
    segments: sealers.length,
    plaintextBytes: total,
    md5: random(16),
    partNumber: shape.kind === 2 && !several ? (numbers[0] ?? 1) : 0,
    salt: several ? Buffer.alloc(24) : (sealers[0]?.salt ?? Buffer.alloc(24)),
    generation: newGeneration(random),
    writeTime: 1_700_000_000_000,
    ...(shape.area === undefined ? {} : { area: sealArea(objectKey, shape.area, random) }),
    entries: several
      ? sealers.map((sealer, i) => ({
          partNumber: numbers[i] ?? i + 1,
          plaintextBytes: sealer.plaintextBytes,
          salt: sealer.salt,
          ...(shape.kind === 2 ? { md5: random(16) } : {}),
        }))
      : [],
  }
}

/** Bytes in pieces of one length. */
export function inPieces(bytes: Buffer, length: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += length) pieces.push(bytes.subarray(at, at + length))
  return pieces
}

/** The plaintext of a whole object, with its record where that was read before. */
export function openWhole(
  object: Pick<SealedObject, 'objectKey' | 'layout'> & { readonly record?: TailRecord },
  stored: Buffer,
  pieceBytes: number = stored.length,
): Buffer {
  const { objectKey, layout, record } = object
  const opener = new ObjectOpener({ objectKey, layout, ...(record === undefined ? {} : { record }) })
  const out = inPieces(stored, Math.max(1, pieceBytes)).flatMap((piece) => opener.push(piece))
  return Buffer.concat([...out, ...opener.end()])
}

/** One range of an object's plaintext from stored bytes that begin where its span begins. */
export function openRange(
  object: Pick<SealedObject, 'objectKey' | 'layout'>,
  range: { readonly first: number; readonly last: number },
  stored: Buffer,
  pieceBytes: number = stored.length,
): Buffer {
  const opener = new RangeOpener({ objectKey: object.objectKey, layout: object.layout, ...range })
  const out = inPieces(stored, Math.max(1, pieceBytes)).flatMap((piece) => opener.push(piece))
  opener.end()
  return Buffer.concat(out)
}

/** A copy with one bit turned. */
export function flipped(bytes: Buffer, at: number, bit: number = 0): Buffer {
  const out = Buffer.from(bytes)
  out[at] = (out[at] ?? 0) ^ (1 << bit)
  return out
}

/** The layer that a call refuses with; `undefined` if it does not. Everything but `Integrity` goes through. */
export function layerOf(call: () => unknown): IntegrityLayer | undefined {
  try {
    call()
  } catch (error) {
    if (error instanceof Integrity) return error.layer
    throw error
  }
  return undefined
}

/** Expects a refusal by one layer. */
export function expectRefusal(layer: IntegrityLayer, call: () => unknown): void {
  expect(layerOf(call)).toBe(layer)
}

export function lengthOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}
