/** From a scenario to its vector: what the reader gets, what it must say, and what may come out before. */
import { toBase64url } from '../../src/format/derive.ts'
import { toStoredMetadata } from '../../src/format/metadata.ts'
import type { Tlv } from '../../src/format/tlv.ts'
import { bodyOf, MASTER, PLAINTEXT_RULE, patched, plaintextOf, type Stored } from './sealing.ts'
import { encodeKey, type Expectation, sha256Hex, STORED_BODY_LIMIT, type Vector } from './vector-file.ts'

export interface Scenario {
  readonly name: string
  /** One sentence: what is written here, or what is wrong with it. */
  readonly comment: string
  readonly object: Stored
  /** Absent: `success`. */
  readonly expect?: Expectation
  /** On failure: plaintext bytes, from the start of what was asked for, that may have come out. Absent: none. */
  readonly released?: number
  /** Names that are asked for, if not the object's own. */
  readonly namespace?: string
  readonly key?: string
  /** The one master key of the reader, if not the usual one. */
  readonly masterKey?: Buffer
  /** The customer's key that the reader brings, if not the object's own. */
  readonly customerKey?: Buffer
  /** The JSON of keyring records, as docs/format.md, "Bucket keys and keyring", spells them. */
  readonly keyring?: readonly string[]
  /** Replaces the metadata of the object. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Replaces the body. */
  readonly body?: Buffer
  /** Written over the finished body; a negative offset counts from its end. */
  readonly patch?: { readonly offset: number; readonly bytes: Buffer }
  /** Flips the lowest bit of that byte of the finished body; a negative offset counts from its end. */
  readonly flip?: number
  readonly range?: readonly [first: number, last: number]
  /** The entries of sealed metadata and area that a reader finds, if not those of the object's sealed metadata. */
  readonly entries?: readonly Tlv[]
  /** Read through the foot, without metadata. */
  readonly recover?: boolean
}

/** The vector of a scenario about an object. */
export function vectorOf(scenario: Scenario): Vector {
  const { object, name, comment, expect = 'success' } = scenario
  const whole = scenario.body ?? bodyOf(object)
  const patch = patchOf(scenario, whole)
  const body = patch === undefined ? whole : patched(whole, patch.offset, patch.bytes)
  const header = new Map<string, string>([
    ['expect', expect],
    ['comment', comment],
    ['namespace', scenario.namespace ?? object.namespace],
    ['key', encodeKey(scenario.key ?? object.key)],
    ['master-key', toBase64url(scenario.masterKey ?? MASTER.key)],
  ])
  const customerKey = scenario.customerKey ?? object.customerKey
  if (customerKey) header.set('customer-key', toBase64url(customerKey))
  if (scenario.keyring) header.set('keyring', `[${scenario.keyring.join(',')}]`)
  const metadata = scenario.recover ? {} : (scenario.metadata ?? toStoredMetadata(object.envelope, object.metadata))
  for (const [field, value] of Object.entries(metadata)) header.set(field, value)
  if (scenario.recover) header.set('mode', 'recover')
  if (scenario.range) header.set('range', scenario.range.join('-'))
  if (body.length > STORED_BODY_LIMIT) header.set('seed', object.seed)
  if (object.plaintextBytes > 0) header.set('plaintext', PLAINTEXT_RULE)
  if (patch) header.set('patch', `${patch.offset} ${patch.bytes.toString('hex')}`)
  if (expect === 'success' && !scenario.range) header.set('entries', entriesOf(scenario))
  const released = releasedBy(scenario, expect)
  header.set('plaintext-bytes', String(released.length))
  header.set('plaintext-sha256', sha256Hex(released))
  return { name, header: withBody(header, body), body }
}

/** The vector of one record of sections 6 and 7: `fields` in the order of the header, behind `expect`, `comment`, `kind`. */
export function recordVector(
  record: { readonly name: string; readonly comment: string; readonly kind: string; readonly expect?: Expectation },
  fields: Readonly<Record<string, string>>,
  content: unknown,
  body: Buffer,
): Vector {
  const { expect = 'success' } = record
  const header = new Map([
    ['expect', expect],
    ['comment', record.comment],
    ['kind', record.kind],
    ...Object.entries(fields),
  ])
  if (expect === 'success') header.set('content', JSON.stringify(content))
  return { name: record.name, header: withBody(header, body), body }
}

function entriesOf({ object, entries, recover }: Scenario): string {
  const found = entries ?? (recover ? [] : object.content.tlvs)
  return JSON.stringify(found.map(({ tag, value }) => [tag, value.toString('hex')]))
}

function withBody(header: Map<string, string>, body: Buffer): Map<string, string> {
  return header.set('body-bytes', String(body.length)).set('body-sha256', sha256Hex(body))
}

function patchOf(scenario: Scenario, body: Buffer): { offset: number; bytes: Buffer } | undefined {
  const { patch, flip } = scenario
  if (flip === undefined && patch === undefined) return undefined
  const wanted = flip ?? patch?.offset ?? 0
  const offset = wanted < 0 ? body.length + wanted : wanted
  return { offset, bytes: patch?.bytes ?? Buffer.of(body.readUInt8(offset) ^ 1) }
}

function releasedBy(scenario: Scenario, expect: Expectation): Buffer {
  const plaintext = plaintextOf(scenario.object.plaintextBytes)
  const asked = scenario.range ? plaintext.subarray(scenario.range[0], scenario.range[1] + 1) : plaintext
  return expect === 'success' ? asked : asked.subarray(0, scenario.released ?? 0)
}
