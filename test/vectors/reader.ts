/** Reads a vector as the gateway and `decrypt` would: with the readers of src/format and one local master key. */
import { Integrity, type IntegrityLayer } from '../../src/errors.ts'
import { expand, fromBase64url, kidOf } from '../../src/format/derive.ts'
import {
  decodeFoot,
  type Envelope,
  openCustomerKey,
  openEnvelope,
  parseEnvelope,
  type WrappedKeyFields,
} from '../../src/format/envelope.ts'
import { factsKey, factsKid, openFacts } from '../../src/format/facts.ts'
import { openJournalName } from '../../src/format/journal.ts'
import { type Layout, layoutOfMetadata, layoutOfTail, storedSpan } from '../../src/format/layout.ts'
import { fromStoredMetadata, openMetadata } from '../../src/format/metadata.ts'
import { ObjectOpener, RangeOpener } from '../../src/format/open-object.ts'
import { CHUNK_BYTES, plaintextSize, segmentSize, tailReadSize } from '../../src/format/sizes.ts'
import { openStateRecord, parseStateRecordPrefix } from '../../src/format/state-record.ts'
import { openArea, openTail } from '../../src/format/tail.ts'
import type { TailRecord } from '../../src/format/tail-record.ts'
import { mergeTlvs, type Tlv } from '../../src/format/tlv.ts'
import { type KeyringRecord, parseKeyringRecord } from '../../src/keys/keyring.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { unwrapLocal } from '../../src/keys/local-wrap.ts'
import { describeAttempt, describeFacts } from './families/records.ts'
import { decodeKey } from './vector-file.ts'

type Header = ReadonlyMap<string, string>

/** How a body comes: in one piece, in pieces of odd length, cut wherever a chunk or header ends, or byte by byte. */
export type Feed = 'whole' | 'odd pieces' | 'chunk by chunk' | 'byte by byte'

export interface Outcome {
  readonly result: 'success' | IntegrityLayer
  /** Plaintext in the order in which it came out, also before a failure. */
  readonly released: Buffer
  /** What a record says, or the metadata entries of an object, as `content` and `entries` of the header spell them. */
  readonly content?: unknown
}

/** What comes out of a vector. Errors other than `Integrity` are thrown. */
export function readVector(header: Header, body: Buffer, feed: Feed): Outcome {
  const released: Buffer[] = []
  try {
    if (header.has('kind')) return { result: 'success', released: Buffer.alloc(0), content: readRecord(header, body) }
    const tlvs = readObject(header, body, feed, released)
    const content = tlvs.map(({ tag, value }) => [tag, value.toString('hex')])
    return { result: 'success', released: Buffer.concat(released), content }
  } catch (error) {
    if (!(error instanceof Integrity)) throw error
    return { result: error.layer, released: Buffer.concat(released) }
  }
}

function field(header: Header, name: string): string {
  const value = header.get(name)
  if (value === undefined) throw new Error(`the header has no ${name}`)
  return value
}

function bytesOf(header: Header, name: string): Buffer {
  const bytes = fromBase64url(field(header, name))
  if (bytes === undefined) throw new Error(`${name} is not base64url`)
  return bytes
}

function keyringOf(header: Header): KeyringRecord[] {
  const records: unknown = JSON.parse(header.get('keyring') ?? '[]')
  if (!Array.isArray(records)) throw new Error('the keyring is not an array')
  return records.map((record) => parseKeyringRecord(JSON.stringify(record)))
}

function bucketKeyOf(header: Header, wrapped: WrappedKeyFields, namespace: string): Buffer {
  const key = takeSecret(bytesOf(header, 'master-key'))
  const id = expand(key, 'sealgate/v1/local-id', Buffer.alloc(0), 8)
  const masters = new Map([[id.toString('hex'), { id, key, created: '' }]])
  const unwrap = ({ wrapped: bytes, day }: WrappedKeyFields): Buffer => {
    const opened = unwrapLocal(masters, bytes, { namespace, day })
    if (!kidOf(opened).equals(wrapped.kid)) throw new Integrity('unwrap failure', 'kid')
    return opened
  }
  for (const parsed of keyringOf(header)) {
    if (!parsed.kid.equals(wrapped.kid) || parsed.namespace !== namespace) continue
    try {
      return unwrap(parsed)
    } catch (error) {
      if (!(error instanceof Integrity) || wrapped.wrapped.length === 0) throw error
    }
  }
  if (wrapped.wrapped.length === 0) throw new Integrity('unwrap failure', 'no wrapped key')
  return unwrap(wrapped)
}

function readObject(header: Header, body: Buffer, feed: Feed, released: Buffer[]): readonly Tlv[] {
  const { objectKey, layout, record, tlvs } =
    header.get('mode') === 'recover' ? recovered(header, body) : opened(header, body)
  const range = header.get('range')
  if (range !== undefined) {
    const [first = 0, last = 0] = range.split('-').map(Number)
    readRange({ objectKey, layout, body, first, last }, feed, released)
    return tlvs
  }
  const opener = new ObjectOpener({ objectKey, layout, ...(record && { record }) })
  for (const piece of piecesOf(body, 0, feed, layout)) released.push(...opener.push(piece))
  released.push(...opener.end())
  return tlvs
}

interface RangeRead {
  readonly objectKey: Buffer
  readonly layout: Layout
  readonly body: Buffer
  readonly first: number
  readonly last: number
}

function readRange({ objectKey, layout, body, first, last }: RangeRead, feed: Feed, released: Buffer[]): void {
  const span = storedSpan(layout, first, last)
  const opener = new RangeOpener({ objectKey, layout, first, last })
  for (const piece of piecesOf(body.subarray(span.first, span.last + 1), span.first, feed, layout)) {
    released.push(...opener.push(piece))
  }
  opener.end()
}

interface Opened {
  readonly objectKey: Buffer
  readonly layout: Layout
  readonly record?: TailRecord
  readonly tlvs: readonly Tlv[]
}

function opened(header: Header, body: Buffer): Opened {
  const stored = fromStoredMetadata(Object.fromEntries([...header].filter(([name]) => name.startsWith('sg-'))))
  if (stored === 'foreign') throw new Integrity('envelope failure', 'not a sealed object')
  const envelope = parseEnvelope(stored.envelope)
  const objectKey = objectKeyOf(header, envelope, field(header, 'namespace'), decodeKey(field(header, 'key')))
  const metadata = openMetadata(objectKey, envelope.raw, stored.metadata)
  const { flags, suite } = envelope
  const fixed = flags.sizeInMetadata ? layoutOfMetadata(suite, metadata, body.length) : undefined
  const record = fixed === undefined || flags.areaUsed ? tailOf(objectKey, body, suite).record : undefined
  const area = flags.areaUsed && record?.area ? openArea(objectKey, record.area) : []
  const tlvs = mergeTlvs(metadata.tlvs, area)
  if (fixed !== undefined) return { objectKey, layout: fixed, tlvs }
  if (record === undefined) throw new Error('one of flags 1 and 2 is set')
  return { objectKey, layout: layoutOfTail(suite, record, body.length), record, tlvs }
}

function recovered(header: Header, body: Buffer): Opened {
  if (plaintextSize(body.length) === undefined) throw new Integrity('size mismatch', 'no sealed object')
  const trailer = body.subarray(-16)
  if (trailer.toString('latin1', 8) !== 'SGT1TAIL') throw new Integrity('tail failure', 'no trailer')
  const { envelope, namespace, key } = decodeFoot(body.subarray(body.length - 16 - trailer.readUInt16BE(0), -16))
  const objectKey = objectKeyOf(header, envelope, namespace, key)
  const { record } = tailOf(objectKey, body, envelope.suite)
  const tlvs = record.area ? openArea(objectKey, record.area) : []
  return { objectKey, layout: layoutOfTail(envelope.suite, record, body.length), record, tlvs }
}

function tailOf(objectKey: Buffer, body: Buffer, suite: number): { record: TailRecord } {
  const bytes = tailReadSize(body.length)
  if (bytes === undefined) throw new Integrity('size mismatch', 'no sealed object')
  return openTail(objectKey, body.subarray(body.length - bytes), body.length, suite)
}

function customersKeyOf(header: Header, envelope: Envelope): Buffer {
  const key = header.has('customer-key') ? openCustomerKey(envelope, bytesOf(header, 'customer-key')) : undefined
  if (key === undefined) throw new Integrity('unwrap failure', "the customer's key is missing or another one")
  return key
}

function objectKeyOf(header: Header, envelope: Envelope, namespace: string, key: string): Buffer {
  const opened = envelope.tag === 'c' ? customersKeyOf(header, envelope) : bucketKeyOf(header, envelope, namespace)
  return openEnvelope(envelope, opened, namespace, key)
}

function readRecord(header: Header, body: Buffer): unknown {
  const kind = field(header, 'kind')
  if (kind === 'facts') return readFacts(header, body)
  if (kind === 'state') {
    const { wrapped } = parseStateRecordPrefix(body)
    return openStateRecord(bucketKeyOf(header, wrapped, field(header, 'namespace')), field(header, 'path'), body)
  }
  const named = {
    id: field(header, 'upload-id'),
    part: Number(field(header, 'part')),
    attempt: field(header, 'attempt'),
  }
  return describeAttempt(
    openJournalName({ objectKey: bytesOf(header, 'object-key'), ...named, name: body.toString('latin1') }),
  )
}

/** The gateway does not treat these as errors; the vectors name the layer all the same. */
function readFacts(header: Header, body: Buffer): unknown {
  const kid = factsKid(body)
  const record = keyringOf(header).find((candidate) => kid?.equals(candidate.kid))
  if (record === undefined) throw new Integrity('unwrap failure', 'no such key')
  const namespace = field(header, 'namespace')
  const bucketKey = bucketKeyOf(header, record, namespace)
  const facts = openFacts(factsKey(bucketKey), body, namespace, decodeKey(field(header, 'key')))
  if (facts === undefined) throw new Integrity('metadata failure', 'the facts do not open')
  return describeFacts(facts)
}

const ODD_PIECE = 4_099

/** The bytes, which begin at `offset` of the object, in the pieces of a feed. */
function* piecesOf(bytes: Buffer, offset: number, feed: Feed, layout: Layout): Generator<Buffer> {
  if (feed === 'whole') {
    yield bytes
    return
  }
  const cuts = feed === 'chunk by chunk' ? cutsOf(layout) : []
  const most = feed === 'byte by byte' ? 1 : ODD_PIECE
  let next = 0
  for (let at = 0; at < bytes.length; ) {
    while ((cuts[next] ?? Infinity) <= offset + at) next += 1
    const end = Math.min(at + most, (cuts[next] ?? Infinity) - offset, bytes.length)
    yield bytes.subarray(at, end)
    at = end
  }
}

/** Where headers and chunks end. */
function cutsOf(layout: Layout): number[] {
  return layout.segments.flatMap(({ storedOffset, plaintextBytes }) => {
    const chunks = Math.floor(plaintextBytes / CHUNK_BYTES)
    const ends = Array.from({ length: chunks + 1 }, (_, i) => storedOffset + 64 + i * (CHUNK_BYTES + 16))
    return [...ends, storedOffset + segmentSize(plaintextBytes)]
  })
}
