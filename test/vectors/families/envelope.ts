/** Vectors of section 5: form of the envelope, wrapped keys, keyring, binding to namespace and object key. */
import { kidOf } from '../../../src/format/derive.ts'
import type { SealingKey } from '../../../src/format/envelope.ts'
import { toStoredMetadata } from '../../../src/format/metadata.ts'
import { formatKeyringRecord } from '../../../src/keys/keyring.ts'
import { wrapLocal } from '../../../src/keys/local-wrap.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import {
  bucketKeyOf,
  DAY,
  flipped,
  KEY,
  MASTER,
  NAMESPACE,
  OTHER_MASTER,
  patched,
  putObject,
  type Stored,
  seededRandom,
} from '../sealing.ts'
import type { Expectation, Vector } from '../vector-file.ts'

const P = 100

/** The envelope, unwrap, keyring and binding families. */
export function envelopeVectors(): Vector[] {
  return [...forms(), ...spellings(), ...unwraps(), ...keyrings(), ...bindings()].map(vectorOf)
}

/** Offsets in an envelope with the key reference `lmain` and a local wrapped K. */
const AT = { version: 0, suite: 1, flags: 2, a: 3, reference: 4, day: 9, kid: 13, w: 29, wrapped: 31 } as const
const WRAPPED_BYTES = 1 + 8 + 24 + 32 + 16

/** The object with other raw envelope bytes; its sealed metadata stays as it was. */
function withEnvelope(name: string, comment: string, object: Stored, raw: Buffer, expect: Expectation): Scenario {
  return { name, comment, object, metadata: toStoredMetadata(raw, object.metadata), expect }
}

function forms(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const raw = object.envelope
  const bad = (name: string, comment: string, bytes: Buffer): Scenario =>
    withEnvelope(`envelope_${name}`, comment, object, bytes, 'envelope failure')
  const put = (offset: number, ...bytes: number[]): Buffer => patched(raw, offset, Buffer.from(bytes))
  const withoutKey = Buffer.concat([raw.subarray(0, AT.w), Buffer.of(0, 0), raw.subarray(AT.wrapped + WRAPPED_BYTES)])
  return [
    bad('empty', 'no bytes at all', Buffer.alloc(0)),
    bad('truncated', 'the last byte is missing', raw.subarray(0, -1)),
    bad('trailing_byte', 'one byte is left over', Buffer.concat([raw, Buffer.of(0)])),
    bad('version_0', 'version 0', put(AT.version, 0)),
    bad('version_2', 'version 2', put(AT.version, 2)),
    bad('suite_0', 'suite 0', put(AT.suite, 0)),
    bad('suite_2', 'suite 2, which is reserved', put(AT.suite, 2)),
    bad('suite_3', 'suite 3, which is reserved', put(AT.suite, 3)),
    bad('flag_unknown', 'flag 32 is not known', put(AT.flags, 2 | 16 | 32)),
    bad('flags_both', 'flags 1 and 2 are both set', put(AT.flags, 1 | 2 | 16)),
    bad('flags_neither', 'neither flag 1 nor flag 2 is set', put(AT.flags, 16)),
    bad('reference_empty', 'the key reference has no bytes', put(AT.a, 0)),
    bad('reference_without_alias', 'the key reference has a tag and no alias', withReference(raw, 'l')),
    bad('reference_too_long', 'an alias of 16 characters', withReference(raw, `l${'a'.repeat(16)}`)),
    bad('reference_upper_case', 'the alias has an upper-case letter', withReference(raw, 'lMain')),
    bad('reference_unknown_tag', 'no provider has the tag x', withReference(raw, 'xmain')),
    bad('w_zero', 'flag 16 is set, but w is 0', withoutKey),
    bad('w_without_flag', 'flag 16 is clear, but there is a wrapped K', put(AT.flags, 2)),
    bad('w_too_long', 'the wrapped K ends behind the envelope', put(AT.w, 0xff, 0xff)),
    bad('w_short_by_one', 'w is one less than the wrapped K: one byte is left over', put(AT.w, 0, WRAPPED_BYTES - 1)),
  ]
}

function withReference(raw: Buffer, reference: string): Buffer {
  const head = Buffer.concat([raw.subarray(0, AT.a), Buffer.of(reference.length), Buffer.from(reference)])
  return Buffer.concat([head, raw.subarray(AT.day)])
}

/** base64url and the presence of the two metadata keys. */
function spellings(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const stored = toStoredMetadata(object.envelope, object.metadata)
  const text = stored['sg-e'] ?? ''
  const spelled = (name: string, comment: string, spelling: string): Scenario => ({
    name: `envelope_base64_${name}`,
    comment,
    object,
    metadata: { ...stored, 'sg-e': spelling },
    expect: 'envelope failure',
  })
  const { 'sg-e': envelope = '', 'sg-m': metadata = '' } = stored
  return [
    spelled('padded', 'base64url with padding', `${text}${'='.repeat((4 - (text.length % 4)) % 4 || 4)}`),
    spelled('standard_alphabet', 'the alphabet of standard base64', standardAlphabet(text)),
    spelled('stray_bits', 'the unused bits of the last character are not zero', strayBits(text)),
    spelled(
      'one_character_more',
      'a length that no bytes have',
      `${text}${'A'.repeat((5 - (text.length % 4)) % 4 || 4)}`,
    ),
    spelled('space', 'a space inside', `${text.slice(0, 8)} ${text.slice(8)}`),
    {
      name: 'envelope_missing',
      comment: 'sg-e is missing',
      object,
      metadata: { 'sg-m': metadata },
      expect: 'envelope failure',
    },
    {
      name: 'metadata_missing',
      comment: 'sg-m is missing',
      object,
      metadata: { 'sg-e': envelope },
      expect: 'metadata failure',
    },
    {
      name: 'foreign',
      comment: 'neither sg-e nor sg-m: not an object of Sealgate',
      object,
      metadata: {},
      expect: 'envelope failure',
    },
  ]
}

function standardAlphabet(text: string): string {
  const standard = text.replaceAll('-', '+').replaceAll('_', '/')
  if (standard === text) throw new Error('this scenario needs a text with - or _')
  return standard
}

function strayBits(text: string): string {
  if (text.length % 4 === 0) throw new Error('this scenario needs unused bits')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return `${text.slice(0, -1)}${alphabet.charAt(alphabet.indexOf(text.slice(-1)) + 1)}`
}

function unwraps(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const raw = object.envelope
  const bad = (name: string, comment: string, bytes: Buffer): Scenario =>
    withEnvelope(`unwrap_${name}`, comment, object, bytes, 'unwrap failure')
  const flip = (name: string, comment: string, offset: number): Scenario => bad(name, comment, flipped(raw, offset))
  const otherKey = putObject(P, { seed: 'small_other' })
  const wrapSalt = AT.wrapped + WRAPPED_BYTES
  return [
    flip('day', 'the day is another: ctx does not fit', AT.day + 3),
    flip('kid', 'the kid is damaged', AT.kid),
    flip('wrapped_version', 'the version of the wrapped K is unknown', AT.wrapped),
    flip('master_id', 'no master key has this id', AT.wrapped + 1),
    flip('wrapped_salt', 'the salt of the wrapped K is damaged', AT.wrapped + 9),
    flip('wrapped_key', 'the wrapped K is damaged', AT.wrapped + 40),
    flip('wrap_salt', 'the wrap salt is damaged', wrapSalt),
    flip('sealed_key', 'the wrapped R is damaged', wrapSalt + 24),
    flip('sealed_key_tag', 'the tag of the wrapped R is damaged', raw.length - 1),
    bad('flag_8', 'flag 8 was set afterwards', patched(raw, AT.flags, Buffer.of(2 | 8 | 16))),
    bad('flag_1_for_2', 'flag 2 was exchanged for flag 1', patched(raw, AT.flags, Buffer.of(1 | 16))),
    bad('alias', 'the alias was exchanged', withReference(raw, 'lmaim')),
    bad('provider', 'the provider was exchanged', withReference(raw, 'mmain')),
    bad('other_bucket_key', 'day, kid and wrapped K are those of another K', spliced(raw, otherKey.envelope)),
    bad(
      'other_sealed_key',
      'wrap salt and wrapped R are those of another envelope',
      wrapSpliced(raw, otherKey.envelope),
    ),
    {
      name: 'unwrap_other_master',
      comment: 'the reader has another master key',
      object,
      masterKey: OTHER_MASTER.key,
      expect: 'unwrap failure',
    },
  ]
}

function spliced(raw: Buffer, other: Buffer): Buffer {
  const end = AT.wrapped + WRAPPED_BYTES
  return Buffer.concat([raw.subarray(0, AT.day), other.subarray(AT.day, end), raw.subarray(end)])
}

function wrapSpliced(raw: Buffer, other: Buffer): Buffer {
  return Buffer.concat([raw.subarray(0, -72), other.subarray(-72)])
}

/** A keyring record of `bucketKey` as JSON. */
export function keyringRecord(bucketKey: SealingKey, change: Partial<SealingKey & { namespace: string }> = {}): string {
  const { key: _, ...fields } = bucketKey
  const record = { namespace: NAMESPACE, created: 1_788_480_000_000, status: 'active' as const, ...fields, ...change }
  return formatKeyringRecord(record)
}

function keyrings(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const keyringOnly = putObject(P, { seed: 'keyring_only', inline: false })
  const rewrap = (of: Stored, namespace = NAMESPACE): Buffer =>
    wrapLocal(OTHER_MASTER, { namespace, day: DAY }, of.bucketKey.key, seededRandom('rewrap'))
  const rewrapped = keyringRecord(object.bucketKey, { wrapped: rewrap(object) })
  const damaged = keyringRecord(object.bucketKey, { wrapped: flipped(object.bucketKey.wrapped, 60) })
  const stranger = bucketKeyOf(seededRandom('stranger'))
  const wrongKey = keyringRecord(object.bucketKey, { wrapped: stranger.wrapped })
  const elsewhere = keyringRecord(keyringOnly.bucketKey, { namespace: 'archive' })
  return [
    {
      name: 'keyring_only',
      comment: 'no wrapped K in the envelope: the keyring has it',
      object: keyringOnly,
      keyring: [keyringRecord(keyringOnly.bucketKey)],
    },
    {
      name: 'keyring_missing',
      comment: 'the wrapped K is neither in the envelope nor in the keyring',
      object: keyringOnly,
      keyring: [rewrapped],
      expect: 'unwrap failure',
    },
    {
      name: 'keyring_overrides',
      comment:
        'the master key was rotated: the record is wrapped under the new one, the envelope under one that is gone',
      object,
      keyring: [rewrapped],
      masterKey: OTHER_MASTER.key,
    },
    {
      name: 'keyring_damaged_record',
      comment: 'the record does not open: the wrapped K in the envelope counts',
      object,
      keyring: [damaged],
    },
    {
      name: 'keyring_record_of_other_key',
      comment: 'the record opens to a K with another kid: the wrapped K in the envelope counts',
      object,
      keyring: [wrongKey],
    },
    {
      name: 'keyring_other_namespace',
      comment: 'the only record of this kid is of another namespace',
      object: keyringOnly,
      keyring: [elsewhere],
      expect: 'unwrap failure',
    },
  ]
}

/** Nothing is normalised, and every length counts. */
function bindings(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const bad = (name: string, comment: string, change: Partial<Scenario>): Scenario => ({
    name: `binding_${name}`,
    comment,
    object,
    expect: 'unwrap failure',
    ...change,
  })
  const named = (seed: string, key: string, namespace = NAMESPACE): Stored => putObject(P, { seed, key, namespace })
  const slashes = named('two_slashes', 'a//b')
  const composed = named('composed', 'caf\u00e9')
  const odd = named('odd_key', ' ../\u00fcber+%2F\n\u{1f512}.txt')
  const sibling = putObject(P, { seed: 'sibling', key: 'photos/2026/dog.jpg', bucketKey: object.bucketKey })
  return [
    {
      name: 'binding_odd_key',
      comment: 'a key with spaces, dots, a line feed and characters outside ASCII',
      object: odd,
    },
    {
      name: 'binding_folder_marker',
      comment: 'an empty object whose key ends with a slash',
      object: putObject(0, { seed: 'folder', key: 'photos/' }),
    },
    bad('other_namespace', 'asked for in another namespace', { namespace: 'archive' }),
    bad('other_key', 'asked for under another key', { key: 'photos/2026/dog.jpg' }),
    bad('key_case', 'asked for in another case', { key: 'photos/2026/Cat.jpg' }),
    bad('key_longer', 'asked for with a slash at the end', { key: `${KEY}/` }),
    bad('key_normalised', 'the key has two slashes, asked for with one', { object: slashes, key: 'a/b' }),
    bad('key_decomposed', 'composed and decomposed letters are different keys', {
      object: composed,
      key: 'cafe\u0301',
    }),
    bad('boundary', 'the same bytes, but the boundary between namespace and key is elsewhere', boundary()),
    bad('other_object', 'envelope, metadata and body of another object under the same K', {
      object: sibling,
      key: KEY,
    }),
  ]
}

/** An envelope for namespace "a" and key "bc" whose K opens in namespace "ab" too. */
function boundary(): Partial<Scenario> {
  const random = seededRandom('boundary')
  const key = random(32)
  const wrapped = wrapLocal(MASTER, { namespace: 'ab', day: DAY }, key, random)
  const bucketKey: SealingKey = { tag: 'l', alias: 'main', day: DAY, kid: kidOf(key), wrapped, key }
  return { object: putObject(P, { seed: 'boundary', namespace: 'a', key: 'bc', bucketKey }), namespace: 'ab', key: 'c' }
}
