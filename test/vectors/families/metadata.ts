/** Vectors of section 6: sealed metadata, its entries, its spelling. */
import { toBase64url } from '../../../src/format/derive.ts'
import { toStoredMetadata } from '../../../src/format/metadata.ts'
import { checksumTlv, md5Tlv, sseTlv, textTlv, TLV, type Tlv, userMetadataTlv } from '../../../src/format/tlv.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import { bodyOf, copyOf, flipped, KEY, multipartObject, plaintextOf, putObject, withContent } from '../sealing.ts'
import { sha256Hex, type Vector } from '../vector-file.ts'

const P = 100
const FIXED = 82

/** The sealed metadata family. */
export function metadataVectors(): Vector[] {
  return [...contents(), ...fields(), ...entries(), ...spellings(), ...copies()].map(vectorOf)
}

const ALL_TLVS: readonly Tlv[] = [
  textTlv(TLV.contentType, 'text/plain; charset=utf-8'),
  textTlv(TLV.cacheControl, 'max-age=60'),
  textTlv(TLV.contentDisposition, 'attachment; filename="a.txt"'),
  textTlv(TLV.contentEncoding, 'gzip'),
  textTlv(TLV.contentLanguage, 'de'),
  textTlv(TLV.expires, 'Thu, 01 Jan 2026 00:00:00 GMT'),
  textTlv(TLV.websiteRedirect, '/elsewhere'),
  userMetadataTlv('a', ''),
  userMetadataTlv('b', 'two words'),
  userMetadataTlv('ba', '\u00e9\u00ff'),
  checksumTlv({ algorithm: 4, type: 0, value: Buffer.from(sha256Hex(plaintextOf(P)), 'hex') }),
  md5Tlv(Buffer.alloc(16, 7), 0),
  sseTlv({ mode: 2, keyId: 'alias/backups' }),
  textTlv(TLV.program, '1.0.0'),
]

function contents(): Scenario[] {
  const seed = 'metadata_all_entries'
  const unknown: Tlv = { tag: 100, value: Buffer.from('from the future') }
  return [
    { name: seed, comment: 'every known entry', object: putObject(P, { seed, tlvs: ALL_TLVS }) },
    {
      name: 'metadata_no_entries',
      comment: 'no entry at all',
      object: putObject(P, { seed: 'metadata_no_entries', tlvs: [] }),
    },
    {
      name: 'metadata_unknown_entry',
      comment: 'an unknown entry that is not critical',
      object: putObject(P, { seed: 'metadata_unknown_entry', tlvs: [unknown] }),
    },
  ]
}

/** The fixed part, sealed as it should be; and the seal itself. */
function fields(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const upload = multipartObject([{ partNumber: 5, bytes: P }], { seed: 'multipart_one_small' })
  const bad = (name: string, comment: string, change: (content: Buffer) => Buffer | void, of = object): Scenario => ({
    name: `metadata_${name}`,
    comment,
    object: withContent(of, change),
    expect: 'metadata failure',
  })
  const raw = (name: string, comment: string, metadata: Buffer): Scenario => ({
    name: `metadata_${name}`,
    comment,
    object: { ...object, metadata },
    expect: 'metadata failure',
  })
  const longer = withContent(object, (content) => void content.writeBigUInt64BE(BigInt(P + 1), 2))
  const range: [number, number] = [0, P - 1]
  return [
    bad('version_2', 'version 2', (content) => void (content[0] = 2)),
    bad('second_byte', 'the second byte is not zero', (content) => void (content[1] = 1)),
    bad('short', 'the fixed part is one byte short', (content) => content.subarray(0, FIXED - 1)),
    bad(
      'length_with_flag_1',
      'P is there, although the envelope has flag 1',
      (content) => void (content[9] = 1),
      upload,
    ),
    bad(
      'salt_with_flag_1',
      'a salt is there, although the envelope has flag 1',
      (content) => void (content[10] = 1),
      upload,
    ),
    bad(
      'commitment_with_flag_1',
      'a commitment is there, although the envelope has flag 1',
      (content) => void (content[65] = 1),
      upload,
    ),
    raw('salt_flipped', 'the salt of the seal is damaged', flipped(object.metadata, 0)),
    raw('content_flipped', 'the ciphertext is damaged', flipped(object.metadata, 30)),
    raw('tag_flipped', 'the tag is damaged', flipped(object.metadata, -1)),
    raw('too_short_for_a_seal', 'fewer bytes than a seal of nothing', object.metadata.subarray(0, 39)),
    {
      name: 'metadata_longer',
      comment: 'P is one more than the stored size says',
      object: longer,
      expect: 'size mismatch',
    },
    {
      name: 'metadata_other_commitment',
      comment: 'the commitment is that of another key; a range trusts nothing else',
      object: withContent(object, (content) => void (content[34] = content[34]! ^ 1)),
      range,
      expect: 'commitment failure',
    },
    {
      name: 'metadata_other_salt',
      comment: 'the salt is another than that of the segment, so the commitment does not fit',
      object: withContent(object, (content) => void (content[10] = content[10]! ^ 1)),
      expect: 'commitment failure',
    },
  ]
}

/** Entries that no writer writes, sealed as they should be. */
function entries(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const bad = (name: string, comment: string, ...tlvs: [tag: number, value: string | Buffer][]): Scenario => ({
    name: `entries_${name}`,
    comment,
    object: withContent(object, (content) => Buffer.concat([content.subarray(0, FIXED), ...tlvs.map(rawTlv)])),
    expect: 'metadata failure',
  })
  const user = (name: string, value: string): Buffer => userMetadataTlv(name, value).value
  const cut = (keep: number): ((content: Buffer) => Buffer) => {
    return (content) => Buffer.concat([content.subarray(0, FIXED), rawTlv([1, 'text/plain']).subarray(0, keep)])
  }
  return [
    bad('twice', 'content-type twice', [1, 'text/plain'], [1, 'text/plain']),
    bad('out_of_order', 'tag 2 before tag 1', [2, 'no-cache'], [1, 'text/plain']),
    bad('user_twice', 'one name of user metadata twice', [8, user('a', '1')], [8, user('a', '2')]),
    bad(
      'user_out_of_order',
      'user metadata is not in the order of its names',
      [8, user('b', '1')],
      [8, user('a', '1')],
    ),
    bad('user_longer_name_first', 'a name comes after one that it begins', [8, user('ab', '1')], [8, user('a', '1')]),
    bad('user_without_name', 'a name of no bytes', [8, Buffer.from([0, 65])]),
    bad('user_name_too_long', 'the name ends behind the entry', [8, Buffer.from([3, 65, 66])]),
    bad('critical', 'an unknown critical tag', [200, 'x']),
    bad('compression', 'tag 128 is reserved, and critical', [128, Buffer.alloc(9)]),
    bad('checksum_length', 'a SHA-256 of 31 bytes', [9, Buffer.concat([Buffer.from([4, 0]), Buffer.alloc(31)])]),
    bad('checksum_algorithm', 'an unknown checksum algorithm', [9, Buffer.from([99, 0, 1])]),
    bad('checksum_type', 'an unknown checksum type', [9, Buffer.from([1, 2, 0, 0, 0, 0])]),
    bad('md5_length', 'an MD5 of 15 bytes', [10, Buffer.alloc(17)]),
    bad('sse_mode', 'an unknown mode of server-side encryption', [11, Buffer.from([5])]),
    {
      name: 'entries_cut_in_frame',
      comment: 'the last entry ends inside its length',
      object: withContent(object, cut(2)),
      expect: 'metadata failure',
    },
    {
      name: 'entries_cut_in_value',
      comment: 'the last entry ends inside its value',
      object: withContent(object, cut(8)),
      expect: 'metadata failure',
    },
  ]
}

function rawTlv([tag, value]: [tag: number, value: string | Buffer]): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.of(tag, bytes.length >>> 8, bytes.length & 0xff), bytes])
}

/** `sg-m` in pieces, and base64url that is not canonical. */
function spellings(): Scenario[] {
  const object = putObject(P, { seed: 'metadata_all_entries', tlvs: ALL_TLVS })
  const split = toStoredMetadata(object.envelope, object.metadata, 200)
  const { 'sg-e': envelope = '', 'sg-m': one = '', 'sg-m2': two = '', 'sg-m3': three = '' } = split
  if (three === '') throw new Error('this scenario needs three pieces')
  const text = toBase64url(object.metadata)
  const spelled = (name: string, comment: string, pieces: Record<string, string>): Scenario => ({
    name: `metadata_${name}`,
    comment,
    object,
    metadata: { 'sg-e': envelope, ...pieces },
    expect: 'metadata failure',
  })
  return [
    {
      ...spelled('in_pieces', 'sg-m, sg-m2 and so on: the provider limits each value', { ...split }),
      expect: 'success',
    },
    spelled('piece_missing', 'sg-m2 is missing', { ...withoutPiece(split, 'sg-m2') }),
    spelled('last_piece_missing', 'the last piece is missing', { 'sg-m': one, 'sg-m2': two }),
    spelled('piece_empty', 'an empty piece at the end', { ...split, [`sg-m${Object.keys(split).length}`]: '' }),
    spelled('pieces_exchanged', 'two pieces are exchanged', { ...split, 'sg-m': two, 'sg-m2': one }),
    spelled('base64_padded', 'base64url with padding', { 'sg-m': `${text}=` }),
    spelled('base64_standard_alphabet', 'the alphabet of standard base64', {
      'sg-m': text.replaceAll('-', '+').replaceAll('_', '/'),
    }),
  ]
}

function withoutPiece(split: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(split).filter(([other]) => other !== name))
}

/** Copies share R and body: what is sealed for one envelope must not serve another. */
function copies(): Scenario[] {
  const object = putObject(P, { seed: 'small' })
  const copy = copyOf(object, 'photos/2026/copy.jpg')
  const exchanged = toStoredMetadata(copy.envelope, object.metadata)
  const body = bodyOf(putObject(P, { seed: 'small_other' }))
  return [
    {
      name: 'copy_of_put',
      comment: 'the copy of an object: new envelope, new sealed metadata, the same body',
      object: copy,
    },
    {
      name: 'metadata_exchanged',
      comment: 'the sealed metadata is that of the original, with which the copy shares R',
      object: copy,
      metadata: exchanged,
      expect: 'metadata failure',
    },
    {
      name: 'metadata_of_other_object',
      comment: 'the sealed metadata is that of another object',
      object: { ...object, metadata: putObject(P, { seed: 'small_other' }).metadata },
      expect: 'metadata failure',
    },
    {
      name: 'body_of_other_object',
      comment: `envelope and metadata of ${KEY}, but the body of another object`,
      object,
      body,
      expect: 'commitment failure',
    },
    {
      name: 'body_of_other_object_range',
      comment: 'the same, read as a range: the commitment fits R, the chunks do not',
      object,
      body,
      range: [0, 9],
      expect: 'payload failure',
    },
  ]
}
