/** Seals plaintext into segments of lengths that are known beforehand. */
import { Integrity, Internal } from '../errors.ts'
import type { RandomSource } from '../format/derive.ts'
import { SegmentSealer, type SegmentType } from '../format/segment.ts'

export interface SegmentShape {
  readonly type: SegmentType
  readonly partNumber: number
  readonly plaintextBytes: number
}

/** One instance is one attempt, with salts of its own (docs/format.md, "Segment", rule 4). */
export class SegmentsSealer {
  /** Of the segments begun so far. */
  readonly salts: Buffer[] = []
  readonly #shapes: readonly SegmentShape[]
  readonly #objectKey: Buffer
  readonly #random: RandomSource
  #sealer: SegmentSealer
  /** Plaintext bytes that the segment still takes. */
  #left: number
  #headerDue = true

  constructor(objectKey: Buffer, shapes: readonly SegmentShape[], random: RandomSource) {
    const [first] = shapes
    if (first === undefined) throw new Internal('an object has a segment')
    this.#shapes = shapes
    this.#objectKey = objectKey
    this.#random = random
    this.#sealer = this.#begin(first)
    this.#left = first.plaintextBytes
  }

  /** What commits to the first segment, where it is the only one. */
  get commitment(): Buffer {
    return this.#sealer.commitment
  }

  /** Throws `Integrity('size mismatch')` for more than the segments take. */
  update(piece: Buffer): Buffer[] {
    const out = this.#header()
    for (let at = 0; at < piece.length; ) {
      if (this.#left === 0) for (const part of this.#next()) out.push(part)
      const taken = piece.subarray(at, at + this.#left)
      for (const part of this.#sealer.update(taken)) out.push(part)
      this.#left -= taken.length
      at += taken.length
    }
    return out
  }

  /** The last bytes of the last segment. Throws `Integrity('size mismatch')` for less than the segments take. */
  final(): Buffer[] {
    const out = this.#header()
    while (this.#left === 0 && this.salts.length < this.#shapes.length) out.push(...this.#next())
    if (this.#left > 0) throw new Integrity('size mismatch', `${this.#left} bytes are missing`)
    return [...out, ...this.#sealer.final()]
  }

  /** Nothing more is sealed: wipes what was derived. */
  dispose(): void {
    this.#sealer.dispose()
  }

  #next(): Buffer[] {
    const shape = this.#shapes[this.salts.length]
    if (shape === undefined) throw new Integrity('size mismatch', 'there are more bytes than the segments take')
    const end = this.#sealer.final()
    this.#sealer = this.#begin(shape)
    this.#left = shape.plaintextBytes
    return [...end, this.#sealer.header]
  }

  #begin({ type, partNumber }: SegmentShape): SegmentSealer {
    const sealer = new SegmentSealer({ objectKey: this.#objectKey, type, partNumber, random: this.#random })
    this.salts.push(sealer.salt)
    return sealer
  }

  #header(): Buffer[] {
    if (!this.#headerDue) return []
    this.#headerDue = false
    return [this.#sealer.header]
  }
}
