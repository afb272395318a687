/** Vectors of facts (section 6), state records and journal records (section 7). */
import { LABELS, lengthPrefixed, newObjectKey, sealSmall, toBase64url } from '../../../src/format/derive.ts'
import { type Facts, factsKey, sealFacts } from '../../../src/format/facts.ts'
import {
  type AttemptName,
  newAttempt,
  type PartAttempt,
  sealJournalName,
  stateId,
} from '../../../src/format/journal.ts'
import { sealStateRecord } from '../../../src/format/state-record.ts'
import { recordVector } from '../scenario.ts'
import { bucketKeyOf, flipped, KEY, MASTER, NAMESPACE, OTHER_MASTER, seededRandom } from '../sealing.ts'
import { encodeKey, type Expectation, type Vector } from '../vector-file.ts'
import { keyringRecord } from './envelope.ts'

const MASTER_KEY = toBase64url(MASTER.key)

/** The families of records outside objects. */
export function recordVectors(): Vector[] {
  return [...factsVectors(), ...stateVectors(), ...journalVectors()]
}

interface Variant {
  readonly name: string
  readonly comment: string
  readonly expect?: Expectation
  readonly fields?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

/** What `content` of a facts vector says, also for readers in other languages. */
export function describeFacts(facts: Facts): object {
  const { plaintextBytes, generation, md5, partCount, checksumAlgorithm, checksumType } = facts
  const digest = md5?.toString('hex') ?? '00'.repeat(16)
  return {
    plaintextBytes,
    generation: generation.toString('hex'),
    md5: digest,
    partCount,
    checksumAlgorithm,
    checksumType,
  }
}

function factsVectors(): Vector[] {
  const random = seededRandom('facts')
  const bucketKey = bucketKeyOf(random)
  const facts: Facts = {
    plaintextBytes: 5_242_881,
    generation: random(8),
    md5: random(16),
    partCount: 2,
    checksumAlgorithm: 5,
    checksumType: 1,
  }
  const { md5: _, ...unknown } = facts
  const input = { factsKey: factsKey(bucketKey.key), kid: bucketKey.kid, namespace: NAMESPACE, key: KEY, random }
  const raw = sealFacts({ ...input, facts })
  const withoutMd5 = sealFacts({ ...input, facts: { ...unknown, partCount: 0, checksumAlgorithm: 0, checksumType: 0 } })
  const fields = {
    namespace: NAMESPACE,
    key: encodeKey(KEY),
    'master-key': MASTER_KEY,
    keyring: `[${keyringRecord(bucketKey)}]`,
  }
  const bad = (name: string, comment: string, body: Buffer, expect: Expectation = 'metadata failure'): Variant => ({
    name,
    comment,
    body,
    expect,
  })
  const variants: Variant[] = [
    { name: 'facts', comment: 'facts of a multipart object' },
    { ...bad('facts_other_key', 'read for another key', raw), fields: { key: 'photos/2026/dog.jpg' } },
    bad('facts_flipped', 'the ciphertext is damaged', flipped(raw, 30)),
    bad('facts_nonce_flipped', 'the nonce is damaged', flipped(raw, 16)),
    bad('facts_short', 'the last byte is missing', raw.subarray(0, -1)),
    bad('facts_long', 'one byte is left over', Buffer.concat([raw, Buffer.of(0)])),
    bad('facts_kid', 'no K has this kid', flipped(raw, 0), 'unwrap failure'),
  ]
  const plain = describeFacts({ ...unknown, partCount: 0, checksumAlgorithm: 0, checksumType: 0 })
  const noMd5 = { name: 'facts_without_md5', comment: 'facts of an object whose MD5 is not known', kind: 'facts' }
  return [
    ...build('facts', fields, raw, describeFacts(facts), variants),
    recordVector(noMd5, fields, plain, withoutMd5),
  ]
}

function build(
  kind: string,
  fields: Readonly<Record<string, string>>,
  raw: Buffer,
  content: unknown,
  variants: Variant[],
): Vector[] {
  return variants.map((variant) =>
    recordVector({ ...variant, kind }, { ...fields, ...variant.fields }, content, variant.body ?? raw),
  )
}

function stateVectors(): Vector[] {
  const random = seededRandom('state')
  const bucketKey = bucketKeyOf(random)
  const id = stateId('backups', KEY, 'upload-1')
  const path = `uploads/${id}/create`
  const content = { objectKey: toBase64url(newObjectKey(random)), owner: 'caf\u00e9', parts: [1, 2], checksum: null }
  const raw = sealStateRecord(bucketKey, path, content, random)
  const prefixBytes = raw.readUInt16BE(1)
  const text = sealSmall(bucketKey.key, LABELS.state, lengthPrefixed(path), Buffer.from('{"open":'), random)
  const fields = { namespace: NAMESPACE, 'master-key': MASTER_KEY, path }
  const bad = (name: string, comment: string, body: Buffer, expect: Expectation): Variant => ({
    name,
    comment,
    body,
    expect,
  })
  const flags = Buffer.from(raw)
  flags[3 + 2] = 16 | 2
  return build('state', fields, raw, content, [
    { name: 'state', comment: 'a record of the state store' },
    {
      name: 'state_other_path',
      comment: 'the record of another path',
      fields: { path: `uploads/${id}/plan` },
      expect: 'metadata failure',
    },
    {
      name: 'state_other_namespace',
      comment: 'K does not open in another namespace',
      fields: { namespace: 'archive' },
      expect: 'unwrap failure',
    },
    {
      name: 'state_other_master',
      comment: 'the reader has another master key',
      fields: { 'master-key': toBase64url(OTHER_MASTER.key) },
      expect: 'unwrap failure',
    },
    bad('state_version', 'version 2', Buffer.concat([Buffer.of(2), raw.subarray(1)]), 'envelope failure'),
    bad('state_prefix_flags', 'the prefix has flag 2 too', flags, 'envelope failure'),
    bad(
      'state_prefix_too_long',
      'the prefix ends behind the record',
      Buffer.concat([Buffer.from([1, 0xff, 0xff]), raw.subarray(3)]),
      'envelope failure',
    ),
    bad(
      'state_prefix_short',
      'the length of the prefix is one less',
      Buffer.concat([Buffer.from([1, 0, prefixBytes - 1]), raw.subarray(3)]),
      'envelope failure',
    ),
    bad('state_empty', 'no bytes', Buffer.alloc(0), 'envelope failure'),
    bad('state_kid', 'the kid in the prefix is damaged', flipped(raw, 3 + 13), 'unwrap failure'),
    bad('state_flipped', 'the sealed JSON is damaged', flipped(raw, -1), 'metadata failure'),
    bad('state_without_seal', 'the record ends with the prefix', raw.subarray(0, 3 + prefixBytes), 'metadata failure'),
    bad(
      'state_not_json',
      'what was sealed is not JSON',
      Buffer.concat([raw.subarray(0, 3 + prefixBytes), text]),
      'metadata failure',
    ),
  ])
}

/** What `content` of a journal vector says. */
export function describeAttempt(attempt: PartAttempt): object {
  const { bytes, segmentSalt, md5, heldBack, checksum, clientEtag, backendEtag } = attempt
  const sum = { checksumAlgorithm: checksum?.algorithm ?? 0, checksum: checksum?.value.toString('hex') ?? '' }
  return {
    bytes,
    segmentSalt: segmentSalt.toString('hex'),
    md5: md5?.toString('hex') ?? null,
    heldBack,
    ...sum,
    clientEtag,
    backendEtag,
  }
}

function journalVectors(): Vector[] {
  const random = seededRandom('journal')
  const objectKey = newObjectKey(random)
  const id = stateId('backups', KEY, 'upload-1')
  const attempt = newAttempt(1_788_480_000_123, random)
  const named = { objectKey, id, part: 7, attempt }
  const content: PartAttempt = {
    bytes: 6_000_000,
    segmentSalt: random(24),
    md5: random(16),
    heldBack: false,
    checksum: { algorithm: 4, value: random(32) },
    clientEtag: random(16).toString('hex'),
    backendEtag: random(16).toString('hex'),
  }
  const name = sealJournalName({ ...named, content, random })
  const heldBack: PartAttempt = {
    bytes: 10,
    segmentSalt: random(24),
    heldBack: true,
    clientEtag: `${random(16).toString('hex')}-1`,
    backendEtag: '',
  }
  const small = sealJournalName({ ...named, content: heldBack, random })
  const long: PartAttempt = { ...content, checksum: { algorithm: 7, value: random(64) }, backendEtag: 'e'.repeat(255) }
  const longName = sealJournalName({ ...named, content: long, random })
  const fields = { 'object-key': toBase64url(objectKey), 'upload-id': id, part: '7', attempt }
  const good = (vector: string, comment: string, of: PartAttempt, text: string): Vector =>
    recordVector({ name: vector, comment, kind: 'journal' }, fields, describeAttempt(of), Buffer.from(text))
  return [
    good('journal', 'an attempt with MD5 and checksum', content, name),
    good('journal_held_back', 'a held-back attempt without MD5 and checksum', heldBack, small),
    good('journal_long', 'a record of several path segments', long, longName),
    ...build('journal', fields, Buffer.from(name), undefined, badJournals(named, name, longName, objectKey)),
  ]
}

function badJournals(named: AttemptName, name: string, longName: string, objectKey: Buffer): Variant[] {
  const random = seededRandom('journal resealed')
  const bound = Buffer.concat([Buffer.from(named.id), Buffer.from([0, 7]), Buffer.from(named.attempt)])
  const fixed = Buffer.concat([Buffer.from([1, 0]), Buffer.alloc(8), random(24), Buffer.alloc(16)])
  const sealed = (content: Buffer): Buffer => {
    const salted = seededRandom(`journal resealed ${content.toString('hex')}`)
    const text = toBase64url(sealSmall(objectKey, LABELS.journal, bound, content, salted))
    return Buffer.from(text.replace(/(.{180})(?=.)/g, '$1/'))
  }
  const end = Buffer.from([0, 0, 0, 0])
  const set = (offset: number, byte: number): Buffer => {
    const copy = Buffer.from(fixed)
    copy[offset] = byte
    return Buffer.concat([copy, end])
  }
  const bad = (vector: string, comment: string, change: Partial<Variant>): Variant => ({
    name: `journal_${vector}`,
    comment,
    expect: 'tail failure',
    ...change,
  })
  return [
    bad('other_part', 'the name of another part', { fields: { part: '8' } }),
    bad('other_attempt', 'the name of another attempt', { fields: { attempt: newAttempt(1_788_480_000_124, random) } }),
    bad('other_upload', 'the name of another upload', { fields: { 'upload-id': stateId('backups', KEY, 'upload-2') } }),
    bad('other_object_key', 'an upload with another R', { fields: { 'object-key': toBase64url(random(32)) } }),
    bad('character_changed', 'one character is another', {
      body: Buffer.from(`${name.startsWith('A') ? 'B' : 'A'}${name.slice(1)}`),
    }),
    bad('not_base64url', 'a character that base64url does not have', {
      body: Buffer.from(`${name.slice(0, 20)}=${name.slice(21)}`),
    }),
    bad('cut_elsewhere', 'the name is cut at another place', {
      body: Buffer.from(`${longName.slice(0, 100)}/${longName.replaceAll('/', '').slice(100)}`),
    }),
    bad('not_cut', 'a long name in one path segment', { body: Buffer.from(longName.replaceAll('/', '')) }),
    bad('version', 'version 2', { body: sealed(set(0, 2)) }),
    bad('flag_unknown', 'flag 8 is not known', { body: sealed(set(1, 8)) }),
    bad('md5_without_flag', 'an MD5 without its flag', { body: sealed(set(34, 1)) }),
    bad('checksum_flag_alone', 'the checksum flag without a checksum', { body: sealed(set(1, 2)) }),
    bad('checksum_without_flag', 'a CRC32 without its flag', {
      body: sealed(Buffer.concat([fixed, Buffer.from([1, 4, 9, 9, 9, 9, 0, 0])])),
    }),
    bad('algorithm_alone', 'an algorithm without a checksum', {
      body: sealed(Buffer.concat([fixed, Buffer.from([1, 0, 0, 0])])),
    }),
    bad('algorithm_unknown', 'an unknown algorithm without a checksum', {
      body: sealed(Buffer.concat([fixed, Buffer.from([99, 0, 0, 0])])),
    }),
    bad('cut_short', 'an ETag ends behind the record', {
      body: sealed(Buffer.concat([fixed, Buffer.from([0, 0, 0, 5])])),
    }),
    bad('trailing_byte', 'one byte is left over', { body: sealed(Buffer.concat([fixed, end, Buffer.of(0)])) }),
    bad('etag_not_ascii', 'an ETag that is not ASCII', {
      body: sealed(Buffer.concat([fixed, Buffer.from([0, 0, 1, 0xe9, 0])])),
    }),
  ]
}
