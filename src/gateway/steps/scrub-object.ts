/** Scrubbing one object: everything that is stored of it is read and authenticated, and nothing of it is told (docs/format.md, "Segment", rule 3). */
import { Integrity } from '../../errors.ts'
import { sameBytes } from '../../format/derive.ts'
import { decodeFoot, openEnvelope } from '../../format/envelope.ts'
import { openArea } from '../../format/tail.ts'
import type { TailRecord } from '../../format/tail-record.ts'
import type { Keyring } from '../../keys/keyring.ts'
import type { ObjectStep } from '../../object-step.ts'
import type { Gateway } from '../gateway.ts'
import { verifyWhole } from '../read-body.ts'
import type { SealedObject } from '../sealed-object.ts'
import { isOutcome, openFound, requireEnvelope } from './sealed-found.ts'
import { done, foundInfo, OVERTAKEN, telling } from './step.ts'

/** In a dry run only what lies beside the body: envelope, sealed metadata, facts, the stored size, the keyring's record. */
export function scrubObject(gateway: Gateway, keyring: Pick<Keyring, 'find'>): ObjectStep {
  const recorded = new RecordedKeys(keyring)
  return telling(async ({ bucket, key, versionId }, { dryRun, signal }) => {
    const place = { bucket, key, ...(versionId === undefined ? {} : { versionId }) }
    const info = await foundInfo(gateway, place)
    if (info === undefined) return OVERTAKEN
    requireEnvelope(gateway, { place, info })
    const sealed = await openFound(gateway, { place, info })
    if (isOutcome(sealed)) return sealed
    if (info.facts !== undefined) checkFacts(sealed)
    if (!dryRun) await checkBody(gateway, sealed, signal)
    // Last: an object that is damaged besides is told as that.
    await recorded.check(sealed.envelope.kid)
    return done(dryRun ? 0 : info.size)
  })
}

async function checkBody(gateway: Gateway, sealed: SealedObject, signal: AbortSignal): Promise<void> {
  const { tail, foot } = await verifyWhole(gateway, sealed, signal)
  if (tail.area !== undefined) openArea(sealed.objectKey, tail.area)
  else if (sealed.envelope.flags.areaUsed)
    throw new Integrity('tail failure', 'the area that the envelope tells of is not there')
  checkTail(sealed, tail)
  if (foot.length > 0) await checkFoot(gateway, sealed, foot)
}

/** After a copy it still names the place of creation, by a bucket key that the keyring may have wrapped anew since. */
async function checkFoot({ keys }: Gateway, { objectKey }: SealedObject, foot: Buffer): Promise<void> {
  const { envelope, namespace, key } = decodeFoot(foot)
  const bucketKey = await keys.open(envelope, namespace)
  if (sameBytes(openEnvelope(envelope, bucketKey.key, namespace, key), objectKey)) return
  throw new Integrity('unwrap failure', 'the foot is of another object')
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
