/** Scrubbing one object: everything that is stored of it is read and authenticated, and nothing of it is told (docs/format.md, "Segment", rule 3). */
import { StoreError } from '../backends/object-store.ts'
import { Integrity } from '../errors.ts'
import { sameBytes } from '../format/derive.ts'
import { decodeFoot, openEnvelope, parseEnvelope } from '../format/envelope.ts'
import { fromStoredMetadata } from '../format/metadata.ts'
import { openArea } from '../format/tail.ts'
import type { TailRecord } from '../format/tail-record.ts'
import type { Keyring } from '../keys/keyring.ts'
import { S3Error } from '../s3/errors.ts'
import type { Gateway } from './gateway.ts'
import type { Place } from './place.ts'
import { verifyWhole } from './read-body.ts'
import { presentInfo, type SealedObject, unseal } from './sealed-object.ts'

/** What came of it, as steps of jobs say it. */
type Scrubbed =
  | { readonly outcome: 'done'; readonly bytes: number }
  | { readonly outcome: 'unchanged'; readonly why: string }
  | { readonly outcome: 'untouchable'; readonly why: string }
  | { readonly outcome: 'overtaken' }
  | { readonly outcome: 'failed'; readonly cause: unknown }

export const PLAINTEXT = 'plaintext, which the bucket may hold'
export const ARCHIVED = 'archived: restore it first'
export const CUSTOMERS = 'sealed under a key of the customer (SSE-C), without which it cannot be checked'

/** What lies unsealed where everything is sealed. */
export const noEnvelope = (): Integrity =>
  new Integrity('envelope failure', 'it has no envelope: plaintext, or stripped of it')

/** Scrubs objects of a gateway. Remembers which bucket keys the keyring has. */
export class Scrubber {
  readonly #gateway: Gateway
  readonly #recorded: RecordedKeys

  constructor(gateway: Gateway, keyring: Pick<Keyring, 'find'>) {
    this.#gateway = gateway
    this.#recorded = new RecordedKeys(keyring)
  }

  /** With `bodies: false` only what lies beside the body: envelope, sealed metadata, facts, the stored size, the keyring's record. */
  async scrub(
    place: Place,
    { bodies, signal }: { readonly bodies: boolean; readonly signal: AbortSignal },
  ): Promise<Scrubbed> {
    try {
      return await this.#scrub(place, bodies, signal)
    } catch (cause) {
      if (isArchived(cause)) return { outcome: 'untouchable', why: ARCHIVED }
      return isOvertaken(cause) ? { outcome: 'overtaken' } : { outcome: 'failed', cause }
    }
  }

  async #scrub(place: Place, bodies: boolean, signal: AbortSignal): Promise<Scrubbed> {
    const info = await presentInfo(this.#gateway, place)
    if (info === undefined) return { outcome: 'overtaken' }
    const stored = fromStoredMetadata(info.metadata)
    if (stored === 'foreign') return this.#foreign(place)
    const { tag, kid } = parseEnvelope(stored.envelope)
    if (tag === 'c') return { outcome: 'untouchable', why: CUSTOMERS }
    const sealed = await unseal(this.#gateway, place, info)
    if (sealed.kind !== 'sealed') return { outcome: 'overtaken' }
    if (info.facts !== undefined) checkFacts(sealed)
    if (bodies) await this.#checkBody(sealed, signal)
    // Last: an object that is damaged besides is told as that.
    await this.#recorded.check(kid)
    return { outcome: 'done', bytes: bodies ? info.size : 0 }
  }

  #foreign({ bucket }: Place): Scrubbed {
    if (this.#gateway.rules(bucket).contents === 'mixed') return { outcome: 'unchanged', why: PLAINTEXT }
    return { outcome: 'failed', cause: noEnvelope() }
  }

  async #checkBody(sealed: SealedObject, signal: AbortSignal): Promise<void> {
    const { tail, foot } = await verifyWhole(this.#gateway, sealed, signal)
    if (tail.area !== undefined) openArea(sealed.objectKey, tail.area)
    else if (sealed.envelope.flags.areaUsed)
      throw new Integrity('tail failure', 'the area that the envelope tells of is not there')
    checkTail(sealed, tail)
    if (foot.length > 0) await this.#checkFoot(sealed, foot)
  }

  /** After a copy it still names the place of creation, by a bucket key that the keyring may have wrapped anew since. */
  async #checkFoot({ objectKey }: SealedObject, foot: Buffer): Promise<void> {
    const { envelope, namespace, key } = decodeFoot(foot)
    const bucketKey = await this.#gateway.keys.open(envelope, namespace)
    if (sameBytes(openEnvelope(envelope, bucketKey.key, namespace, key), objectKey)) return
    throw new Integrity('unwrap failure', 'the foot is of another object')
  }
}

/** What listings show must be what the object is. */
function checkFacts({ facts, size }: SealedObject): void {
  if (facts === undefined) throw new Integrity('metadata failure', 'the facts do not open')
  if (facts.plaintextBytes !== size) throw new Integrity('size mismatch', 'the facts are of another size')
}

function checkTail({ facts, size, metadata }: SealedObject, tail: TailRecord): void {
  if (tail.plaintextBytes !== size) throw new Integrity('size mismatch', 'the tail is of another size')
  if (facts === undefined) return
  // Of a copy the facts are as old as the metadata, of an upload as old as the body.
  const generations = [metadata.generation, tail.generation]
  if (!generations.some((one) => one.equals(facts.generation)))
    throw new Integrity('metadata failure', 'the facts are of another write')
  if (tail.kind === 1 && tail.md5Valid && facts.md5 !== undefined && !facts.md5.equals(tail.md5))
    throw new Integrity('metadata failure', 'the facts are of other contents')
}

/** Whether the keyring has the bucket keys of objects: once the master key changes, reading needs it. */
class RecordedKeys {
  readonly #keyring: Pick<Keyring, 'find'>
  readonly #known = new Set<string>()

  constructor(keyring: Pick<Keyring, 'find'>) {
    this.#keyring = keyring
  }

  async check(kid: Buffer): Promise<void> {
    const name = kid.toString('hex')
    if (this.#known.has(name)) return
    if ((await this.#keyring.find(kid)) === undefined) {
      const problem = `the keyring has no record of the bucket key ${name}: the object is readable only while its own wrapped form opens`
      throw new Integrity('unwrap failure', problem)
    }
    if (this.#known.size >= MOST_KNOWN) this.#known.clear()
    this.#known.add(name)
  }
}

const MOST_KNOWN = 65_536

/** The store has it, and gives it to nobody before it is restored. */
const isArchived = (error: unknown): boolean =>
  error instanceof StoreError
    ? error.answer?.code === 'InvalidObjectState'
    : hasStoreError(error) && isArchived(error.cause)

const hasStoreError = (error: unknown): error is S3Error & { readonly cause: StoreError } =>
  error instanceof S3Error && error.code === 'SlowDown' && error.cause instanceof StoreError

/** Overwritten or deleted while it was read: what is there now, a later run sees. */
function isOvertaken(error: unknown): boolean {
  if (hasStoreError(error)) return true
  return error instanceof StoreError && ['no-such-key', 'no-such-version', 'no-such-bucket'].includes(error.refusal)
}
