/**
 * The port to whoever guards the master key, and the shapes that travel between keys and their users
 * (docs/format.md, "Envelope" and "Bucket keys"). All keys are 32 bytes.
 */

import { Invalid } from '../errors.ts'
import type { SecretBytes } from '../secret-bytes.ts'

/** One letter of the envelope's key reference (docs/format.md, provider tags). */
export type ProviderTag = 'l' | 'm' | 'a' | 'v' | 'p' | 'k' | 'z' | 'g' | 'c'

/** What a bucket key is bound to: the namespace of the bucket and the day (days since 1970, UTC) on which the key was made. */
export interface KeyContext {
  readonly namespace: string
  readonly day: number
}

export interface GeneratedKey {
  /** In memory of its own (`ownMemory`). It is the caller's, who wipes it or makes it a secret. */
  readonly key: Buffer
  readonly wrapped: Buffer
}

/** Every method throws `Unavailable` where the provider does not answer and `Denied` where it refuses. */
export interface KeyManager {
  /** The configured short alias, `[a-z0-9-]{1,15}`. */
  readonly alias: string
  readonly tag: ProviderTag
  /** A new key and its wrapped form, bound to `context` where the provider can. */
  generate(context: KeyContext): Promise<GeneratedKey>
  /** Another wrapped form of a key that is there already: it moves from one manager to this one. */
  wrap(key: Buffer, context: KeyContext): Promise<Buffer>
  /** Throws `Integrity('unwrap failure')` if the bytes are not ours under this context. What it gives is as `GeneratedKey.key`. */
  unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer>
  /** The same key under the master key that new keys are wrapped by now; it stays with the provider where that can. Throws as `unwrap` does. */
  rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer>
  /** Throws with the reason if the master key cannot be used now. */
  health(): Promise<void>
  close(): Promise<void>
  /** Only of managers that hold master keys themselves: reads them anew, and resolves with the id of the one that wraps from now on. */
  reload?(): Promise<string>
}

/** A wrapped bucket key as envelopes and keyring records carry it. */
export interface WrappedBucketKey {
  readonly tag: ProviderTag
  readonly alias: string
  readonly day: number
  readonly kid: Buffer
  /** The provider's bytes. */
  readonly wrapped: Buffer
}

/** An open bucket key. It has many holders: none writes to `key` or disposes of it, and it ends when the last lets go of it. */
export interface BucketKey extends WrappedBucketKey {
  readonly namespace: string
  readonly key: SecretBytes
}

/** Bucket keys for sealing and opening: cached, single-flighted, recorded in the keyring before first use. */
export interface BucketKeys {
  /** The key of the current period to seal under, of the manager with that alias or of the default one. Throws `Invalid` if there is no such manager. */
  active(namespace: string, alias?: string): Promise<BucketKey>
  /** Whether there is a key manager of that alias. */
  knows(alias: string): boolean
  /** Whether any key is open, so that something can be read and written without a manager. `away`: while it does not answer; one that refuses takes old keys back. */
  holds(options: { readonly away: boolean }): boolean
  /** The key that an envelope names: the keyring's record where it passes the kid check, else the inline bytes. */
  open(wrapped: WrappedBucketKey, namespace: string): Promise<BucketKey>
  /** The key of a kid recorded in the keyring; `undefined` if there is no record. */
  byKid(kid: Buffer, namespace: string): Promise<BucketKey | undefined>
  /** Lets go of keys that would not be used any more. */
  forgetExpired(): void
  /** Ends every open key. Nothing may be under way. */
  close(): void
}

/** Bucket keys whose managers follow one another (docs/format.md, "Rotation"). */
export interface RotatingBucketKeys extends BucketKeys {
  /** Resolves once no key of that manager is being made or recorded by a call that began before. */
  settled(alias: string): Promise<void>
  /** Lets go of what it knows of keyring and slots: the next look is at the store. Open keys stay open. */
  forget(): void
}

/** Which managers have taken the place of others. */
export interface Succession {
  /** The manager that seals where that one is asked for. Throws `Denied` where none may. */
  sealsFor(alias: string): string | Promise<string>
  /** Whether any manager seals where that one is asked for. */
  mayBeNamed(alias: string): boolean
  /** Whether the time in which this manager was still asked for what the keyring does not have is over. */
  isClosed(alias: string): boolean
}

/** The key manager of that alias. Throws `Invalid` if the settings have none. */
export function managerNamed(managers: ReadonlyMap<string, KeyManager>, alias: string): KeyManager {
  const manager = managers.get(alias)
  if (manager === undefined) throw new Invalid(`there is no key manager "${alias}" in the settings`)
  return manager
}
