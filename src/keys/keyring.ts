/**
 * The port to the keyring (docs/format.md, "State store" and "Bucket keys"): which wrapped key belongs to a kid, and which
 * key is in use for a namespace, manager and period. Records carry wrapped keys only, and nothing in them is trusted: an
 * open key counts once its kid has been checked.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { Integrity } from '../errors.ts'
import { fromBase64url, lengthPrefixed, toBase64url } from '../format/derive.ts'
import type { ProviderTag, WrappedBucketKey } from './key-manager.ts'

/** One wrapped bucket key as the keyring keeps it. A newer wrapped form than the one inside envelopes overrides those. */
export interface KeyringRecord extends WrappedBucketKey {
  readonly namespace: string
  /** Milliseconds since 1970. */
  readonly created: number
  /** `retired`: opens what was sealed under it, is never sealed under again. */
  readonly status: 'active' | 'retired'
}

/** One place for a key in use. */
export interface KeySlot {
  readonly namespace: string
  /** The manager's alias. */
  readonly manager: string
  /** floor(seconds since 1970 / lifetime). */
  readonly period: number
}

/** All methods throw `Unavailable` if the state store does not answer. */
export interface Keyring {
  /** `undefined` if there is none; throws `Integrity('unwrap failure')` if the record is malformed or of another kid. */
  find(kid: Buffer): Promise<KeyringRecord | undefined>
  /** Durable when it resolves. A record of this kid that exists already stays as it is. */
  record(record: KeyringRecord): Promise<void>
  /** `undefined` if the slot is empty; throws `Integrity('unwrap failure')` if the record is malformed. */
  active(slot: KeySlot): Promise<KeyringRecord | undefined>
  /** Puts the record into the slot unless another replica was first (If-None-Match); returns what is in the slot now. */
  publishActive(slot: KeySlot, record: KeyringRecord): Promise<KeyringRecord>
}

const PROVIDER_TAGS = ['l', 'm', 'a', 'v', 'p', 'k', 'z', 'g', 'c'] as const satisfies readonly ProviderTag[]

const recordSchema = z.strictObject({
  kid: z.string().regex(/^[0-9a-f]{32}$/),
  provider: z.enum(PROVIDER_TAGS),
  alias: z.string().regex(/^[a-z0-9-]{1,15}$/),
  wrapped: z.string().min(1),
  day: z.int().min(0).max(0xffffffff),
  namespace: z.string(),
  created: z.iso.datetime(),
  status: z.enum(['active', 'retired']),
})

/** The JSON of a record: `{kid, provider, alias, wrapped, day, namespace, created, status}`. */
export function formatKeyringRecord(record: KeyringRecord): string {
  const { kid, tag, alias, wrapped, day, namespace, created, status } = record
  return JSON.stringify({
    kid: kid.toString('hex'),
    provider: tag,
    alias,
    wrapped: toBase64url(wrapped),
    day,
    namespace,
    created: new Date(created).toISOString(),
    status,
  })
}

/** Strict: throws `Integrity('unwrap failure')` for anything that `formatKeyringRecord` does not write. */
export function parseKeyringRecord(text: string): KeyringRecord {
  const parsed = recordSchema.safeParse(parseJson(text))
  if (!parsed.success) throw new Integrity('unwrap failure', 'malformed keyring record', { cause: parsed.error })
  const { kid, provider, wrapped, created, ...rest } = parsed.data
  const bytes = fromBase64url(wrapped)
  if (bytes === undefined) throw new Integrity('unwrap failure', 'malformed keyring record: wrapped key')
  return { ...rest, kid: Buffer.from(kid, 'hex'), tag: provider, wrapped: bytes, created: Date.parse(created) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What the parser says quotes the record.
    throw new Integrity('unwrap failure', 'malformed keyring record: not JSON')
  }
}

/**
 * The name of everything a wrapped key claims to be: SHA-256 over provider, alias, namespace and wrapped bytes, as the
 * format asks, and over day and kid too. With the day, because a key opened once under its true day must not pass for a
 * younger one; with the kid, because a wrong claim must not take the place of a right one. Never the kid alone: kids are
 * public, and whoever names one has not shown that the key manager would open it for this namespace.
 */
export function claimOf({ tag, alias, day, kid, wrapped }: WrappedBucketKey, namespace: string): string {
  const parts = [tag, alias, namespace, String(day), kid, wrapped]
  return hash('sha256', Buffer.concat(parts.map(lengthPrefixed)), 'base64url')
}
