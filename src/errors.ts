/**
 * Inner errors. They are few and prescriptive: a kind exists only where the caller would act differently.
 * `http/` maps each to one S3 error; the cause goes to the log and never to the client.
 */

/** What the caller can do: `unavailable` retry, `invalid` fix the request or the settings, `denied` ask for access, `integrity` repair the data, `internal` report a bug. */
export type ErrorKind = 'unavailable' | 'invalid' | 'denied' | 'integrity' | 'internal'

abstract class SealgateError extends Error {
  abstract readonly kind: ErrorKind
}

/** A dependency (backend, key manager, state store, disk) does not answer or has no room; the same call may succeed later. */
export class Unavailable extends SealgateError {
  override readonly name = 'Unavailable'
  readonly kind = 'unavailable'
  /** Milliseconds after which it may be worth to ask again, if anybody knows. */
  readonly retryAfter: number | undefined

  constructor(
    message: string,
    { retryAfter, ...options }: ErrorOptions & { readonly retryAfter?: number | undefined } = {},
  ) {
    super(message, options)
    this.retryAfter = retryAfter
  }
}

/** The request or the settings are wrong; repeating will not help. */
export class Invalid extends SealgateError {
  override readonly name = 'Invalid'
  readonly kind = 'invalid'
}

/** What is wrong with a master key itself, where its key manager refuses because of it. */
export type KeyFault = 'disabled' | 'missing' | 'wrong-state'

/** A dependency refuses us. */
export class Denied extends SealgateError {
  override readonly name = 'Denied'
  readonly kind = 'denied'
  /** Absent if the refusal is about us and not about a key. */
  readonly key: KeyFault | undefined

  constructor(message: string, { key, ...options }: ErrorOptions & { readonly key?: KeyFault | undefined } = {}) {
    super(message, options)
    this.key = key
  }
}

/** Which layer refused, in the words of the test vectors (docs/format.md, "Test vectors"); or that the audit log is not what was written. */
export const INTEGRITY_LAYERS = [
  'envelope failure',
  'unwrap failure',
  'commitment failure',
  'metadata failure',
  'tail failure',
  'payload failure',
  'size mismatch',
  'audit chain failure',
] as const

export type IntegrityLayer = (typeof INTEGRITY_LAYERS)[number]

/** Stored data is not what was written. Clients see one face; `layer` and the message are for the log. */
export class Integrity extends SealgateError {
  override readonly name = 'Integrity'
  readonly kind = 'integrity'
  readonly layer: IntegrityLayer

  constructor(layer: IntegrityLayer, message: string, options?: ErrorOptions) {
    super(`${layer}: ${message}`, options)
    this.layer = layer
  }
}

/** A broken promise inside the program. */
export class Internal extends SealgateError {
  override readonly name = 'Internal'
  readonly kind = 'internal'
}
