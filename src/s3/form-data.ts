/**
 * multipart/form-data (RFC 7578) as a stream, for forms that upload one file (S3 API reference, "POST Object"): the fields
 * before the file are small and kept, the file goes through piece by piece, what follows it is ignored.
 */
import { invalidArgument, S3Error } from './errors.ts'

/** Everything before the contents of the file, as S3 limits it. */
export const MAX_FIELD_BYTES = 20 * 1024
/** What may follow the file; nobody reads it. */
const MAX_REST_BYTES = 1024 * 1024
/** Headers of one part, and what may stand behind a boundary. */
const MAX_HEADER_BYTES = 4 * 1024

export interface FormField {
  readonly name: string
  readonly value: string
}

const CRLF = Buffer.from('\r\n')
const HEADERS_END = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)

type State = 'start' | 'delimited' | 'headers' | 'field' | 'file' | 'closing' | 'rest'

/** The boundary that a Content-Type names. Throws `PreconditionFailed` for another type, `MalformedPOSTRequest` without a boundary (B107). */
export function formBoundary(contentType: string | undefined): string {
  if (!/^multipart\/form-data\s*(?:;|$)/i.test(contentType?.trim() ?? '')) {
    throw new S3Error('PreconditionFailed', {
      extra: { Condition: 'Bucket POST must be of the enclosure-type multipart/form-data' },
    })
  }
  const [, quoted, plain] = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;"]+))/i.exec(contentType ?? '') ?? []
  const boundary = quoted ?? plain ?? ''
  // RFC 2046, section 5.1.1.
  if (!/^[\dA-Za-z'()+_,./:=? -]{0,69}[\dA-Za-z'()+_,./:=?-]$/.test(boundary)) throw malformed()
  return boundary
}

/** Feed it every piece in order; it is exact about where the file ends, whatever the pieces are. */
export class FormParser {
  readonly fields: FormField[] = []
  readonly #delimiter: Buffer
  #state: State = 'start'
  /** What has to be seen again with the next piece. The first delimiter needs no line before it. */
  #held: Buffer = CRLF
  /** Bytes received before the contents of the file. */
  #before = 0
  #rest = 0
  #name = ''
  #value: Buffer[] = []
  #filename: string | undefined

  /** `boundary` as by `formBoundary`. */
  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  /** The name that the browser gave the file, without its path; `undefined` until the file begins. */
  get filename(): string | undefined {
    return this.#filename
  }

  /** Takes a piece and returns what of it is certainly contents of the file. Throws `MalformedPOSTRequest` and its like. */
  push(piece: Buffer): Buffer[] {
    const file: Buffer[] = []
    const early = this.#filename === undefined
    this.#before += early ? piece.length : 0
    let bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece])
    this.#held = NOTHING
    while (bytes.length > 0) bytes = this.#step(bytes, file)
    if (early && this.#filename === undefined && this.#before > MAX_FIELD_BYTES) throw tooLong()
    return file
  }

  /** The body has ended. Throws `MalformedPOSTRequest` unless the file has too. */
  end(): void {
    if (this.#state !== 'rest') throw malformed()
  }

  /** Consumes something of `bytes` and returns what is left, or holds all of it. */
  #step(bytes: Buffer, file: Buffer[]): Buffer {
    switch (this.#state) {
      case 'start':
        return this.#start(bytes)
      case 'delimited':
        return this.#delimited(bytes)
      case 'headers':
        return this.#headers(bytes)
      case 'field':
        return this.#contents(bytes, this.#value, () => this.#endField())
      case 'file':
        return this.#contents(bytes, file, () => 'closing')
      case 'closing':
        return this.#closing(bytes)
      case 'rest':
        break
    }
    this.#rest += bytes.length
    if (this.#rest > MAX_REST_BYTES) throw malformed()
    return NOTHING
  }

  #start(bytes: Buffer): Buffer {
    const length = Math.min(bytes.length, this.#delimiter.length)
    if (!bytes.subarray(0, length).equals(this.#delimiter.subarray(0, length))) throw malformed()
    if (length < this.#delimiter.length) return this.#hold(bytes)
    this.#state = 'delimited'
    return bytes.subarray(length)
  }

  /** Behind a delimiter: the end of its line, or `--` and the end of the form. */
  #delimited(bytes: Buffer): Buffer {
    if (bytes.length < 2) return this.#hold(bytes)
    if (bytes[0] === DASH && bytes[1] === DASH) throw noFile()
    const end = bytes.indexOf(CRLF)
    if (!isPadding(end < 0 ? bytes.subarray(0, -1) : bytes.subarray(0, end))) throw malformed()
    if (end < 0) return this.#hold(bytes)
    this.#state = 'headers'
    return bytes.subarray(end + CRLF.length)
  }

  #headers(bytes: Buffer): Buffer {
    const end = bytes.indexOf(HEADERS_END)
    if (end < 0) return this.#hold(bytes)
    const { name, filename } = parseDisposition(text(bytes.subarray(0, end)))
    const rest = bytes.subarray(end + HEADERS_END.length)
    if (name.toLowerCase() !== 'file') {
      this.#name = name
      this.#state = 'field'
      return rest
    }
    this.#before -= rest.length
    if (this.#before > MAX_FIELD_BYTES) throw tooLong()
    this.#filename = (filename ?? '').replace(/^.*[/\\]/s, '')
    this.#state = 'file'
    return rest
  }

  /** Contents up to the delimiter, which may be spread over pieces. */
  #contents(bytes: Buffer, into: Buffer[], end: () => State): Buffer {
    const at = bytes.indexOf(this.#delimiter)
    const certain = at < 0 ? bytes.length - this.#begun(bytes) : at
    if (certain > 0) into.push(bytes.subarray(0, certain))
    if (at < 0) {
      this.#held = bytes.subarray(certain)
      return NOTHING
    }
    this.#state = end()
    return bytes.subarray(at + this.#delimiter.length)
  }

  /** How many of the last bytes may be the beginning of a delimiter. It has one CR, at its head. */
  #begun(bytes: Buffer): number {
    const tail = bytes.subarray(Math.max(0, bytes.length - this.#delimiter.length + 1))
    const at = tail.lastIndexOf(CR)
    if (at < 0) return 0
    const begun = tail.subarray(at)
    return begun.equals(this.#delimiter.subarray(0, begun.length)) ? begun.length : 0
  }

  #endField(): State {
    this.fields.push({ name: this.#name, value: text(Buffer.concat(this.#value)) })
    this.#value = []
    return 'delimited'
  }

  /** Whatever follows the file, its delimiter must be a whole one: contents that merely look like it would be cut short. */
  #closing(bytes: Buffer): Buffer {
    if (bytes.length < 2) return this.#hold(bytes)
    const [first, second] = bytes
    const end = first === DASH && second === DASH
    if (!end && first !== SPACE && first !== TAB && !(first === CR && second === LF)) throw malformed()
    this.#state = 'rest'
    return bytes
  }

  #hold(bytes: Buffer): Buffer {
    if (bytes.length > MAX_HEADER_BYTES) throw malformed()
    this.#held = bytes
    return NOTHING
  }
}

const CR = 0x0d
const LF = 0x0a
const DASH = 0x2d
const SPACE = 0x20
const TAB = 0x09

const isPadding = (bytes: Buffer): boolean => bytes.every((byte) => byte === SPACE || byte === TAB)

/** Name and file name of a part (RFC 7578, section 4.2). Only `\"` is an escape: browsers of old send paths with backslashes. */
function parseDisposition(headers: string): { name: string; filename: string | undefined } {
  const value = headers
    .split('\r\n')
    .map((line) => /^content-disposition:(.*)$/is.exec(line)?.[1])
    .find((found) => found !== undefined)
  if (value === undefined || !/^\s*form-data\s*;/i.test(value)) throw malformed()
  const name = parameter(value, 'name')
  if (name === undefined || name === '') throw malformed()
  return { name, filename: parameter(value, 'filename') }
}

function parameter(value: string, wanted: string): string | undefined {
  for (const [, name = '', quoted, plain] of value.matchAll(PARAMETER)) {
    if (name.toLowerCase() === wanted) return quoted?.replaceAll('\\"', '"') ?? plain ?? ''
  }
  return undefined
}

const PARAMETER = /;\s*([\w*-]+)\s*=\s*(?:"((?:\\"|[^"])*)"|([^\s;"]+))/g

function text(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw malformed(cause)
  }
}

const malformed = (cause?: unknown): S3Error => new S3Error('MalformedPOSTRequest', { cause })

const tooLong = (): S3Error =>
  new S3Error('MaxPostPreDataLengthExceededError', { extra: { MaxPostPreDataLengthBytes: String(MAX_FIELD_BYTES) } })

const noFile = (): S3Error => invalidArgument('POST requires exactly one file upload per request.', 'file', '0')
