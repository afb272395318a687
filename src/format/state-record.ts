/** Records of the state store, sealed under a bucket key and bound to their path (docs/format.md, "State store"). */
import { Integrity, Internal } from '../errors.ts'
import { kidOf, LABELS, lengthPrefixed, openSmall, type RandomSource, sameBytes, sealSmall } from './derive.ts'
import { envelopePrefix, parseEnvelopePrefix, type SealingKey, type WrappedKeyFields } from './envelope.ts'

const VERSION = 1
const HEAD_BYTES = 3

/** The bytes of a record: any JSON value, sealed for one path. */
export function sealStateRecord(bucketKey: SealingKey, path: string, json: unknown, random: RandomSource): Buffer {
  const text: string | undefined = JSON.stringify(json)
  if (text === undefined) throw new Internal('a state record must be a JSON value')
  const prefix = envelopePrefix(bucketKey)
  if (prefix.length > 0xffff) throw new Internal(`an envelope prefix of ${prefix.length} bytes`)
  const head = Buffer.of(VERSION, prefix.length >>> 8, prefix.length & 0xff)
  const plaintext = Buffer.from(text, 'utf8')
  const sealed = sealSmall(bucketKey.key, LABELS.state, lengthPrefixed(path), plaintext, random)
  // It may hold an object's key.
  plaintext.fill(0)
  return Buffer.concat([head, prefix, sealed])
}

/** The bucket key that a record needs. Throws `Integrity('envelope failure')`. */
export function parseStateRecordPrefix(raw: Buffer): { readonly wrapped: WrappedKeyFields; readonly sealed: Buffer } {
  if (raw.length < HEAD_BYTES) throw new Integrity('envelope failure', 'a state record is cut short')
  if (raw.readUInt8(0) !== VERSION) throw new Integrity('envelope failure', 'a state record of an unknown version')
  const end = HEAD_BYTES + raw.readUInt16BE(1)
  if (end > raw.length) throw new Integrity('envelope failure', 'a state record is cut short')
  return { wrapped: parseEnvelopePrefix(raw.subarray(HEAD_BYTES, end)), sealed: raw.subarray(end) }
}

/**
 * The JSON value of the record at `path`; the caller checks its shape. Throws `Integrity` with `envelope failure`,
 * `unwrap failure` for another bucket key, `metadata failure` for everything else.
 */
export function openStateRecord(bucketKey: Buffer, path: string, raw: Buffer): unknown {
  const { wrapped, sealed } = parseStateRecordPrefix(raw)
  if (!sameBytes(kidOf(bucketKey), wrapped.kid)) throw new Integrity('unwrap failure', 'another bucket key')
  const plaintext = openSmall(bucketKey, LABELS.state, lengthPrefixed(path), sealed)
  if (plaintext === undefined) throw new Integrity('metadata failure', `the state record ${path} does not open`)
  try {
    return JSON.parse(plaintext.toString('utf8')) as unknown
  } catch {
    // The parser's message quotes what it read, and that may be a key.
    throw new Integrity('metadata failure', `the state record ${path} is not JSON`)
  } finally {
    plaintext.fill(0)
  }
}
