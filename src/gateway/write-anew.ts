/** What is there already, sealed or in plaintext, read through the gateway and sealed anew under another object key. */
import type { Body } from '../backends/body.ts'
import type { WriteCondition } from '../backends/object-store.ts'
import { storedSize } from '../format/sizes.ts'
import type { Tlv } from '../format/tlv.ts'
import type { ChecksumName } from '../s3/checksum.ts'
import type { ForStore } from './attributes.ts'
import type { Encryption } from './encryption.ts'
import { keepsMd5 } from './etag.ts'
import type { Gateway } from './gateway.ts'
import type { Place } from './place.ts'
import { type PlaintextClaims, PlaintextVerifier } from './plaintext-verifier.ts'
import { putInParts } from './put-in-parts.ts'
import { GATHER_BYTES } from './put-object.ts'
import { gather, readWhole } from './read-body.ts'
import type { StoredObject } from './sealed-object.ts'
import type { ConditionalStep } from './write-conditions.ts'
import { type Plaintext, writeObject, type WrittenObject } from './write-object.ts'

export interface NewWrite {
  readonly source: StoredObject
  readonly target: Place
  readonly tlvs: readonly Tlv[]
  readonly encryption: Encryption
  /** Computed while the bytes pass. */
  readonly checksum: ChecksumName | undefined
  readonly attributes: ForStore
  readonly condition: WriteCondition | undefined
  /** The last look, before the last bytes go to the store: what it throws, the write throws, and no object appears. */
  readonly confirm?: () => Promise<void>
  readonly signal: AbortSignal
}

/** What makes the object: the one request that has the body, or the Complete of an upload. */
export const stepOfWrite = ({ store }: Gateway, plaintextBytes: number): ConditionalStep =>
  storedSize(plaintextBytes) > store.capabilities.requestLimit ? 'complete' : 'put'

/** Writes the object. Throws what reading and writing throw; then no object appears. */
export async function writeAnew(gateway: Gateway, write: NewWrite): Promise<WrittenObject> {
  const { source, target, tlvs, encryption, checksum, attributes, condition, confirm, signal } = write
  const body = confirmed(await readWhole(gateway, source, signal), confirm)
  const claims = {
    length: source.size,
    contentMd5: undefined,
    keepMd5: keepsMd5(gateway),
    checksum: { kind: 'none' as const },
    extraChecksum: checksum,
  }
  const base = { place: target, tlvs, encryption, signal }
  if (stepOfWrite(gateway, source.size) === 'put') {
    return writeObject(gateway, { ...base, plaintext: await plaintextOf(body, claims), condition, ...attributes })
  }
  return putInParts(gateway, {
    ...base,
    body,
    claims,
    trailers: () => ({}),
    attributes,
    under: (_repeatable, run) => run(condition),
  })
}

/** The same body, whose end comes after the last look. */
export function confirmed(body: Body, confirm: (() => Promise<void>) | undefined): Body {
  return confirm === undefined ? body : thenConfirm(body, confirm)
}

async function* thenConfirm(body: Body, confirm: () => Promise<void>): Body {
  yield* body
  await confirm()
}

async function plaintextOf(body: Body, claims: PlaintextClaims & { readonly length: number }): Promise<Plaintext> {
  const { length } = claims
  if (length > GATHER_BYTES) return { kind: 'stream', length, body, claims, trailers: () => ({}) }
  const verifier = new PlaintextVerifier(claims)
  const pieces = await gather(body)
  for (const piece of pieces) verifier.update(piece)
  return { kind: 'gathered', pieces, verified: verifier.finish({}) }
}
