/** Vectors of SSE-C (section 5): objects under a customer's key, of which nothing is kept. */
import { toStoredMetadata } from '../../../src/format/metadata.ts'
import { MIN_SEGMENT_BYTES as D } from '../../../src/format/sizes.ts'
import { sseTlv } from '../../../src/format/tlv.ts'
import { type Scenario, vectorOf } from '../scenario.ts'
import { customerKeyOf, flipped, multipartObject, NAMESPACE, patched, putObject, type Stored } from '../sealing.ts'
import type { Expectation, Vector } from '../vector-file.ts'

const OURS = customerKeyOf('one')
const P = 100
/** Offsets in an envelope with the key reference `c`. */
const AT = { flags: 2, a: 3, reference: 4, day: 5, kid: 9, w: 25, salt: 27, sealed: 51 } as const

const small = (seed = 'sse-c'): Stored =>
  putObject(P, { seed, customerKey: OURS, tlvs: [sseTlv({ mode: 4, keyId: '' })] })

/** The `sse_c_` family. */
export function customerVectors(): Vector[] {
  return [...objects(), ...keys(), ...forms()].map(vectorOf)
}

function objects(): Scenario[] {
  const parts = [
    { partNumber: 1, bytes: D },
    { partNumber: 2, bytes: 70_000 },
  ]
  const upload = multipartObject(parts, { seed: 'sse-c parts', customerKey: OURS })
  return [
    { name: 'sse_c_put', comment: "an object under a customer's key", object: small() },
    {
      name: 'sse_c_put_with_foot_size',
      comment: 'from D on there would be a foot: of SSE-C there is none',
      object: putObject(D, { seed: 'sse-c large', customerKey: OURS }),
    },
    { name: 'sse_c_multipart', comment: "two parts under a customer's key", object: upload },
    {
      name: 'sse_c_multipart_range',
      comment: 'a range across the parts',
      object: upload,
      range: [D - 10, D + 10],
    },
    {
      name: 'sse_c_multipart_other_key',
      comment: "another customer's key for parts",
      object: upload,
      customerKey: customerKeyOf('two'),
      expect: 'unwrap failure',
    },
    {
      name: 'sse_c_recover',
      comment: 'there is no foot to recover by',
      object: putObject(D, { seed: 'sse-c large', customerKey: OURS }),
      recover: true,
      expect: 'envelope failure',
    },
  ]
}

function keys(): Scenario[] {
  const object = small()
  const other = small('sse-c other')
  return [
    {
      name: 'sse_c_other_key',
      comment: "another customer's key: its kid is another one",
      object,
      customerKey: customerKeyOf('two'),
      expect: 'unwrap failure',
    },
    {
      name: 'sse_c_other_object',
      comment: 'the metadata of another object under the same key',
      object,
      key: 'photos/2026/dog.jpg',
      expect: 'unwrap failure',
    },
    {
      name: 'sse_c_other_namespace',
      comment: 'asked for under another namespace',
      object,
      namespace: `${NAMESPACE}-2`,
      expect: 'unwrap failure',
    },
    {
      name: 'sse_c_exchanged_metadata',
      comment: 'sg-m of another object under the same key',
      object,
      metadata: toStoredMetadata(object.envelope, other.metadata),
      expect: 'metadata failure',
    },
  ]
}

function forms(): Scenario[] {
  const object = small()
  const raw = object.envelope
  const bad = (name: string, comment: string, bytes: Buffer, expect: Expectation = 'envelope failure'): Scenario => ({
    name: `sse_c_${name}`,
    comment,
    object,
    metadata: toStoredMetadata(bytes, object.metadata),
    expect,
  })
  const wrapped = Buffer.concat([raw.subarray(0, AT.w), Buffer.of(0, 1, 7), raw.subarray(AT.salt)])
  return [
    bad('kid_flipped', 'one bit of the kid is another', flipped(raw, AT.kid), 'unwrap failure'),
    bad('salt_flipped', 'one bit of the wrap salt is another: so is the kid', flipped(raw, AT.salt), 'unwrap failure'),
    bad('wrapped_key_flipped', 'one bit of the wrapped R is another', flipped(raw, AT.sealed), 'unwrap failure'),
    bad('day', 'a day other than 0', patched(raw, AT.day + 3, Buffer.of(1))),
    bad('wrapped_k', 'a wrapped K beside it', patched(wrapped, AT.flags, Buffer.of(2 | 16))),
    bad(
      'alias',
      'an alias behind the tag c',
      Buffer.concat([raw.subarray(0, AT.a), Buffer.from('\u0005cmain'), raw.subarray(AT.day)]),
    ),
  ]
}
