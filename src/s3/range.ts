/** Ranges and parts of GET and HEAD (B41 to B45). All offsets are plaintext bytes, inclusive. */
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import type { Query } from './query.ts'

export type RequestedRange =
  | { readonly kind: 'from-to'; readonly first: number; readonly last?: number; readonly text: string }
  | { readonly kind: 'suffix'; readonly length: number; readonly text: string }

export interface ResolvedRange {
  readonly first: number
  readonly last: number
}

const RANGE = /^bytes=(\d*)-(\d*)$/

/**
 * Reads a Range header. `undefined` means the whole object: no header, or one that S3 ignores (B43: malformed, reversed,
 * another unit, several ranges, white space).
 */
export const parseRange = (header: string | undefined): RequestedRange | undefined => {
  const match = header === undefined ? null : RANGE.exec(header)
  if (header === undefined || match === null) return undefined
  const [, from = '', to = ''] = match
  if (from === '') return to === '' ? undefined : { kind: 'suffix', length: offset(to), text: header }
  const first = offset(from)
  if (to === '') return { kind: 'from-to', first, text: header }
  const last = offset(to)
  return last < first ? undefined : { kind: 'from-to', first, last, text: header }
}

/** Numbers beyond 2^53 all lie behind every object: clamping keeps comparisons exact. */
const offset = (digits: string): number => Math.min(Number(digits), Number.MAX_SAFE_INTEGER)

/** Applies a range to an object of `size` plaintext bytes. Throws `InvalidRange` (416) if no byte of it exists (B41, B42, B44). */
export const resolveRange = (range: RequestedRange, size: number): ResolvedRange => {
  if (range.kind === 'suffix') {
    if (range.length === 0 || size === 0) throw unsatisfiable(range.text, size)
    return { first: Math.max(0, size - range.length), last: size - 1 }
  }
  if (range.first >= size) throw unsatisfiable(range.text, size)
  return { first: range.first, last: Math.min(range.last ?? size - 1, size - 1) }
}

const unsatisfiable = (text: string, size: number): S3Error =>
  new S3Error('InvalidRange', {
    extra: { RangeRequested: text, ActualObjectSize: String(size) },
    headers: { 'content-range': `bytes */${size}` },
  })

/** The Content-Range of a 206. */
export const contentRange = (range: ResolvedRange, size: number): string => `bytes ${range.first}-${range.last}/${size}`

/** Highest part number of S3. */
export const MAX_PART_NUMBER = 10_000

/** A part number, 1 to 10,000 (B75). Throws `InvalidArgument`. */
export const parsePartNumber = (text: string): number => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > MAX_PART_NUMBER) {
    throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive', 'partNumber', text)
  }
  return value
}

/** The part that GET or HEAD asks for with `?partNumber`. Throws `InvalidRequest` if a Range stands beside it (B45). */
export const requestedPart = (headers: Headers, query: Query): number | undefined => {
  const text = query.get('partNumber')
  if (text === undefined) return undefined
  if (headers.has('range')) {
    throw new S3Error('InvalidRequest', {
      message: 'Cannot specify both Range header and partNumber query parameter',
    })
  }
  return parsePartNumber(text)
}

/**
 * The bytes of a part (B45). `partSizes` are the plaintext bytes of the parts in order, `undefined` for an object that was
 * put in one piece: that has a part 1, the whole of it. The result is `undefined` if the part has no
 * bytes: the answer then has no Content-Range. Throws `InvalidPartNumber` (416) beyond the last part.
 */
export const resolvePart = (
  partNumber: number,
  partSizes: readonly number[] | undefined,
  size: number,
): ResolvedRange | undefined => {
  const sizes = partSizes ?? [size]
  const bytes = sizes[partNumber - 1]
  if (bytes === undefined) {
    throw new S3Error('InvalidPartNumber', {
      extra: { PartNumberRequested: String(partNumber), ActualPartCount: String(sizes.length) },
    })
  }
  if (bytes === 0) return undefined
  const first = sizes.slice(0, partNumber - 1).reduce((sum, part) => sum + part, 0)
  return { first, last: first + bytes - 1 }
}
