/** Decryption for good: the verified plaintext of an object, with what it says of itself, goes to whoever keeps it outside of Sealgate. */
import type { ObjectStep } from '../../object-step.ts'
import { describedHeaders } from '../object-metadata.ts'
import type { Gateway } from '../gateway.ts'
import { readWhole } from '../read-body.ts'
import { allTlvs } from '../sealed-object.ts'
import { findObject } from './replacement.ts'
import { isOutcome, readFound, requireEnvelope } from './sealed-found.ts'
import { done, OVERTAKEN, telling } from './step.ts'

export interface DecryptedObject {
  readonly key: string
  /** Of an object in a store that keeps versions. */
  readonly versionId: string | undefined
  readonly isLatest: boolean
  readonly bytes: number
  /** The client's ETag, without quotes. */
  readonly etag: string
  readonly lastModified: Date
  /** Content headers and user metadata, as a GET tells them. */
  readonly headers: Readonly<Record<string, string>>
}

/** Keeps an object, once all of `plaintext` has come, or throws what `plaintext` throws and keeps nothing. May get the same one twice. */
export type KeepPlaintext = (
  object: DecryptedObject,
  plaintext: AsyncIterable<Buffer>,
  signal: AbortSignal,
) => Promise<void>

export function decryptObject(gateway: Gateway, keep: KeepPlaintext): ObjectStep {
  return telling(async (object, { dryRun, signal }) => {
    const found = await findObject(gateway, object)
    if (found === undefined) return OVERTAKEN
    const { place, info, isLatest } = found
    requireEnvelope(gateway, found)
    const stored = await readFound(gateway, found)
    if (isOutcome(stored)) return stored
    const { size: bytes, etag } = stored
    if (dryRun) return done(bytes)
    const headers = describedHeaders(await allTlvs(gateway, stored, signal))
    const { lastModified, versionId = place.versionId } = info
    const body = await readWhole(gateway, stored, signal)
    await keep({ key: place.key, versionId, isLatest, bytes, etag, lastModified, headers }, piecesOf(body), signal)
    return done(bytes)
  })
}

async function* piecesOf(body: AsyncIterable<readonly Buffer[]>): AsyncGenerator<Buffer> {
  for await (const batch of body) yield* batch
}
