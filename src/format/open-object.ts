/**
 * Reading sealed objects: a range of the plaintext, or all of it with every check (docs/format.md, "Segment", rules 1 to 3).
 * Both take stored bytes in pieces of any length and give verified plaintext alone.
 */
import { Integrity, Internal } from '../errors.ts'
import { checkRange, type Layout, layoutOfTail, placeAt, type SegmentPlace, segmentsEnd } from './layout.ts'
import { checkHeader, SegmentOpener } from './segment.ts'
import { CHUNK_BYTES, HEADER_BYTES, tailReadSize } from './sizes.ts'
import { isZeros, openEnd } from './tail.ts'
import { encodeTail, type TailRecord } from './tail-record.ts'

/**
 * Opens plaintext bytes `first` to `last`, inclusive, from the stored bytes of `storedSpan`, or from an answer that begins
 * where it begins and goes on beyond it (`guessSpan`): the surplus is ignored. Throws `Integrity('commitment failure')` from
 * the constructor if the key does not fit a commitment of the layout, and `payload failure` for chunks that do not verify.
 */
export class RangeOpener {
  readonly #last: number
  readonly #segments: SegmentsReader
  /** Plaintext offset of the next verified byte. */
  #at: number
  readonly #first: number
  #done = false

  constructor(options: {
    readonly objectKey: Buffer
    readonly layout: Layout
    readonly first: number
    readonly last: number
  }) {
    const { objectKey, layout, first, last } = options
    checkRange(layout, first, last)
    this.#first = first
    this.#last = last
    this.#segments = new SegmentsReader(objectKey, layout, first, last)
    this.#at = this.#segments.plaintextStart
  }

  /** Whether all that was asked for has come out; the rest of the stored bytes need not be read. */
  get done(): boolean {
    return this.#done
  }

  push(piece: Buffer): Buffer[] {
    const out: Buffer[] = []
    if (this.#done) return out
    const { verified } = this.#segments.push(piece)
    for (const buffer of verified) {
      const start = Math.max(0, this.#first - this.#at)
      const end = Math.min(buffer.length, this.#last + 1 - this.#at)
      if (start < end) out.push(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end))
      this.#at += buffer.length
    }
    this.#done = this.#at > this.#last
    return out
  }

  /** Throws `Integrity('payload failure')` unless `done`. */
  end(): void {
    if (!this.#done) throw new Integrity('payload failure', 'the stored bytes end before the range does')
  }
}

/**
 * Opens a whole object and checks all of it: headers, chunks, pad, tail, the foot's length, trailer and size. The last
 * plaintext chunk that is not empty stays here until `end` has seen everything else; below 64 KiB nothing comes out before.
 */
export class ObjectOpener {
  readonly #objectKey: Buffer
  readonly #layout: Layout
  readonly #record: TailRecord | undefined
  readonly #segments: SegmentsReader
  readonly #end: EndReader
  readonly #holdFrom: number
  #held: Buffer[] = []
  #received = 0
  /** Plaintext offset of the next verified byte. */
  #at = 0
  #opened: { readonly record: TailRecord; readonly foot: Buffer } | undefined

  /** `record`, if it was read and verified before, must be the one in the stream. */
  constructor(options: { readonly objectKey: Buffer; readonly layout: Layout; readonly record?: TailRecord }) {
    const { objectKey, layout } = options
    this.#objectKey = objectKey
    this.#layout = layout
    this.#record = options.record
    this.#segments = new SegmentsReader(objectKey, layout)
    this.#end = new EndReader(layout)
    this.#holdFrom = lastChunkStart(layout)
  }

  /** The record of the object's tail. Throws `Internal` before `end`. */
  get tail(): TailRecord {
    return this.#ended.record
  }

  /** The foot, of which only the length was checked. Throws `Internal` before `end`. */
  get foot(): Buffer {
    return this.#ended.foot
  }

  get #ended(): { readonly record: TailRecord; readonly foot: Buffer } {
    if (this.#opened === undefined) throw new Internal('the tail is known at the end alone')
    return this.#opened
  }

  push(piece: Buffer): Buffer[] {
    this.#received += piece.length
    if (this.#received > this.#layout.storedBytes) {
      throw new Integrity('size mismatch', `more than ${this.#layout.storedBytes} stored bytes`)
    }
    const { verified, taken } = this.#segments.push(piece)
    if (taken < piece.length) this.#end.push(piece.subarray(taken))
    const out: Buffer[] = []
    for (const buffer of verified) {
      if (this.#at < this.#holdFrom) out.push(buffer)
      else this.#held.push(buffer)
      this.#at += buffer.length
    }
    return out
  }

  /** Verifies the end of the object and gives the plaintext that was held back. */
  end(): Buffer[] {
    if (this.#received !== this.#layout.storedBytes) {
      throw new Integrity('size mismatch', `${this.#received} stored bytes instead of ${this.#layout.storedBytes}`)
    }
    const { record, foot } = this.#end.open(this.#objectKey)
    if (!sameLayout(layoutOfTail(this.#layout.suite, record, this.#layout.storedBytes), this.#layout)) {
      throw new Integrity('tail failure', 'the tail is of other segments')
    }
    if (this.#record !== undefined && !encodeTail(this.#record).equals(encodeTail(record))) {
      throw new Integrity('tail failure', 'the tail is another than the one read before')
    }
    this.#opened = { record, foot }
    const held = this.#held
    this.#held = []
    return held
  }
}

/** Walks the data segments in order: the header where it is in the stream, then the chunks. */
class SegmentsReader {
  /** Plaintext offset of the first byte that comes out. */
  readonly plaintextStart: number
  readonly #objectKey: Buffer
  readonly #layout: Layout
  readonly #last: number | undefined
  readonly #header = Buffer.allocUnsafe(HEADER_BYTES)
  #headerFilled = 0
  #index: number
  #opener: SegmentOpener | undefined

  /** All segments, or with `first` and `last` the chunks of a range, without the header of the first one. */
  constructor(objectKey: Buffer, layout: Layout, first?: number, last?: number) {
    this.#objectKey = objectKey
    this.#layout = layout
    this.#last = last
    const place = placeAt(layout, first ?? 0)
    const firstChunk = Math.floor(((first ?? 0) - place.plaintextOffset) / CHUNK_BYTES)
    this.#index = layout.segments.indexOf(place)
    this.#opener = this.#openerOf(place, firstChunk)
    this.#headerFilled = first === undefined ? 0 : HEADER_BYTES
    this.plaintextStart = place.plaintextOffset + firstChunk * CHUNK_BYTES
  }

  push(piece: Buffer): { verified: Buffer[]; taken: number } {
    const verified: Buffer[] = []
    let taken = 0
    while (taken < piece.length && this.#opener !== undefined) {
      if (this.#headerFilled < HEADER_BYTES) {
        taken += this.#takeHeader(piece, taken, this.#opener)
        continue
      }
      const take = Math.min(this.#opener.remaining, piece.length - taken)
      const sub = take === piece.length ? piece : piece.subarray(taken, taken + take)
      for (const buffer of this.#opener.push(sub)) verified.push(buffer)
      taken += take
      if (this.#opener.remaining === 0) this.#next()
    }
    return { verified, taken }
  }

  #takeHeader(piece: Buffer, at: number, opener: SegmentOpener): number {
    const take = Math.min(HEADER_BYTES - this.#headerFilled, piece.length - at)
    piece.copy(this.#header, this.#headerFilled, at, at + take)
    this.#headerFilled += take
    if (this.#headerFilled === HEADER_BYTES) checkHeader(this.#header, opener.header)
    return take
  }

  #next(): void {
    this.#index += 1
    this.#headerFilled = 0
    const place = this.#layout.segments[this.#index]
    const wanted = place !== undefined && (this.#last === undefined || place.plaintextOffset <= this.#last)
    this.#opener = wanted ? this.#openerOf(place, 0) : undefined
  }

  #openerOf(place: SegmentPlace, firstChunk: number): SegmentOpener {
    const facts = { ...place, suite: this.#layout.suite }
    const { plaintextBytes, plaintextOffset } = place
    const options = { objectKey: this.#objectKey, facts, plaintextBytes, firstChunk }
    if (this.#last === undefined || this.#last >= plaintextOffset + plaintextBytes) return new SegmentOpener(options)
    const lastChunk = Math.floor((this.#last - plaintextOffset) / CHUNK_BYTES)
    return new SegmentOpener({ ...options, lastChunk })
  }
}

/**
 * Takes what follows the segments. The pad is zero and a tail begins with a letter, so the first byte that is not zero is
 * the tail's; the trailer later has to confirm it. No more is kept than a tail can have.
 */
class EndReader {
  readonly #layout: Layout
  readonly #limit: number
  readonly #pieces: Buffer[] = []
  #kept = 0

  constructor(layout: Layout) {
    const wanted = tailReadSize(layout.storedBytes)
    if (wanted === undefined) throw new Integrity('size mismatch', `no sealed object has ${layout.storedBytes} bytes`)
    this.#layout = layout
    this.#limit = wanted
  }

  push(piece: Buffer): void {
    const rest = this.#kept === 0 ? piece.subarray(leadingZeros(piece)) : piece
    if (rest.length === 0) return
    this.#kept += rest.length
    if (this.#kept > this.#limit) throw new Integrity('tail failure', 'the pad is not zero')
    // A copy: callers may reuse or hold large blocks behind small pieces.
    this.#pieces.push(Buffer.from(rest))
  }

  open(objectKey: Buffer): { readonly record: TailRecord; readonly foot: Buffer } {
    const { suite, storedBytes } = this.#layout
    const { record, foot, padOffset, tailStart } = openEnd(objectKey, Buffer.concat(this.#pieces), storedBytes, suite)
    if (tailStart !== 0) throw new Integrity('tail failure', 'the pad is not zero')
    if (padOffset !== segmentsEnd(this.#layout)) throw new Integrity('tail failure', 'the pad begins elsewhere')
    return { record, foot }
  }
}

function leadingZeros(piece: Buffer): number {
  if (isZeros(piece)) return piece.length
  return piece.findIndex((byte) => byte !== 0)
}

/** Where the last plaintext chunk that is not empty begins. */
function lastChunkStart(layout: Layout): number {
  if (layout.plaintextBytes === 0) return 0
  const { plaintextOffset } = placeAt(layout, layout.plaintextBytes - 1)
  const within = layout.plaintextBytes - 1 - plaintextOffset
  return plaintextOffset + Math.floor(within / CHUNK_BYTES) * CHUNK_BYTES
}

function sameLayout(a: Layout, b: Layout): boolean {
  return (
    a.plaintextBytes === b.plaintextBytes &&
    a.segments.length === b.segments.length &&
    a.segments.every((place, i) => {
      const other = b.segments[i]
      return (
        other !== undefined &&
        place.type === other.type &&
        place.partNumber === other.partNumber &&
        place.plaintextBytes === other.plaintextBytes &&
        place.salt.equals(other.salt)
      )
    })
  )
}
