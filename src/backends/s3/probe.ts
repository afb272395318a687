/** What a store really does where safety depends on it: tried with objects of our own, in a bucket of our own. */
import { Invalid, Unavailable } from '../../errors.ts'
import { type Body, HeldBody } from '../body.ts'
import { type ObjectStore, StoreError, type WriteCondition, type WriteResult } from '../object-store.ts'
import type { Profile } from './profiles.ts'
import { Ignored, type TrialObject, trySubresource, tryVersions } from './subresource-trial.ts'
import type { Subresource } from './subresources.ts'

/** The abilities that are tried; the others only cost a refusal. */
export const PROBED_ABILITIES = [
  'conditionalPut',
  'conditionalComplete',
  'conditionalCopy',
  'conditionalDelete',
  'copySourceIfMatch',
  'slashKeys',
] as const satisfies readonly (keyof Profile)[]

export type ProbedAbility = (typeof PROBED_ABILITIES)[number]

/** What else is tried, in a bucket that nothing depends on. */
export type TriedAbility = ProbedAbility | 'versions' | Subresource

/** `unknown`: the store failed, or did not let us try. */
export interface Finding {
  readonly ability: TriedAbility
  readonly found: 'yes' | 'no' | 'unknown'
  readonly detail: string
  /** The store failed: another time it may tell. */
  readonly failed?: true
}

const RACERS = 4

/**
 * Tries each ability with keys below `prefix`, which are deleted afterwards. Throws what keeps the first object from being written: that
 * the store does not answer, or that we may not.
 */
export async function probe(
  store: ObjectStore,
  bucket: string,
  prefix: string,
  abilities: readonly ProbedAbility[] = PROBED_ABILITIES,
): Promise<Finding[]> {
  const keys = new Set<string>()
  const place: Place = {
    store,
    bucket,
    key: (name) => {
      keys.add(`${prefix}${name}`)
      return `${prefix}${name}`
    },
  }
  try {
    await put(place, 'there')
    const findings: Finding[] = []
    for (const ability of abilities) findings.push(await finding(ability, () => TRIALS[ability](place)))
    return findings
  } finally {
    await Promise.all([...keys].map((one) => store.delete(bucket, one).catch(() => undefined)))
  }
}

/** Where things are tried; names of keys are remembered as they are used. */
interface Place {
  readonly store: ObjectStore
  readonly bucket: string
  readonly key: (name: string) => string
}

/** Each resolves with what was found, and throws for an ability that is not there. An object `there` is. */
const TRIALS: Readonly<Record<ProbedAbility, (place: Place) => Promise<string>>> = {
  conditionalPut,
  conditionalComplete,
  conditionalCopy,
  conditionalDelete: async (place) => {
    const { store, bucket, key } = place
    await put(place, 'kept')
    return refused(store.delete(bucket, key('kept'), { ifMatch: OTHER_ETAG }), 'a DELETE with another If-Match')
  },
  copySourceIfMatch: (place) => refused(copy(place, 'copy', OTHER_ETAG), 'a copy of a source with another ETag'),
  slashKeys: async (place) => {
    const size = await put(place, 'slash/')
      .then(() => place.store.head(place.bucket, place.key('slash/')))
      .then((info) => info?.size)
      .catch((cause: unknown) => {
        if (cause instanceof Unavailable) throw cause
        throw new Missing('an object whose name ends in a slash is refused')
      })
    if (size !== 'slash/'.length) throw new Missing('an object whose name ends in a slash loses its body')
    return 'an object whose name ends in a slash keeps its body'
  },
}

const put = ({ store, bucket, key }: Place, name: string, condition?: WriteCondition): Promise<WriteResult> =>
  store.put(bucket, key(name), bodyOf(name), { metadata: {}, commit: async () => ({}), ...conditional(condition) })

const copy = (
  { store, bucket, key }: Place,
  target: string,
  sourceIfMatch: string,
  condition?: WriteCondition,
): Promise<WriteResult> =>
  store.copy(
    { bucket, key: key('there') },
    { bucket, key: key(target) },
    { sourceIfMatch, size: 'there'.length, metadata: {}, ...conditional(condition) },
  )

const conditional = (condition: WriteCondition | undefined): { readonly condition?: WriteCondition } =>
  condition === undefined ? {} : { condition }

/**
 * Tries version ids and sub-resources on an object of our own. A store that does not know one may delete the whole `bucket`, which
 * therefore nobody else may use.
 */
export async function probeNative(
  store: ObjectStore,
  bucket: string,
  subresources: readonly Subresource[],
): Promise<Finding[]> {
  const at: TrialObject = { bucket, key: 'native', text: 'native' }
  const findings: Finding[] = []
  const attempt = async (ability: TriedAbility, trial: () => Promise<string>): Promise<void> => {
    findings.push(
      await finding(ability, async () => {
        await store.put(bucket, at.key, bodyOf(at.text), { metadata: {}, commit: async () => ({}) })
        return trial()
      }),
    )
  }
  try {
    await attempt('versions', () => tryVersions(store, at))
    for (const name of subresources) await attempt(name, () => trySubresource(store, at, name))
    return findings
  } finally {
    await store.delete(bucket, at.key).catch(() => undefined)
  }
}

/** No store has given this ETag to anything. */
const OTHER_ETAG = '0123456789abcdef0123456789abcdef'

const bodyOf = (text: string): Body => new HeldBody([Buffer.from(text)])

/** What a probe throws for an ability that is not there. */
class Missing extends Error {
  override readonly name = 'Missing'
}

async function finding(ability: TriedAbility, attempt: () => Promise<string>): Promise<Finding> {
  try {
    return { ability, found: 'yes', detail: await attempt() }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    // Whatever words it refuses such a request with: it cannot be relied on.
    const known =
      error instanceof Missing || error instanceof Ignored || error instanceof StoreError || error instanceof Invalid
    const failed = error instanceof Unavailable ? { failed: true as const } : {}
    return { ability, found: known ? 'no' : 'unknown', detail, ...failed }
  }
}

/** A write that must be refused because its condition does not hold. */
async function refused(write: Promise<unknown>, what: string): Promise<string> {
  try {
    await write
  } catch (error) {
    if (error instanceof StoreError && ['precondition-failed', 'conflict'].includes(error.refusal)) {
      return `${what} is refused`
    }
    throw error
  }
  throw new Missing(`${what} goes through`)
}

async function conditionalPut(place: Place): Promise<string> {
  const { etag } = await put(place, 'there')
  await conditions('a PUT', (condition) => put(place, 'there', condition), etag)
  const race = Array.from({ length: RACERS }, () => put(place, 'race', { ifNoneMatch: '*' }))
  const won = (await Promise.allSettled(race)).filter(({ status }) => status === 'fulfilled').length
  // The winner's answer was lost: that is no word about conditions.
  if (won === 0) throw new Unavailable(`of ${RACERS} PUTs with If-None-Match at once none is answered as the first`)
  if (won > 1) throw new Missing(`of ${RACERS} PUTs with If-None-Match at once ${won} go through`)
  return 'If-None-Match and If-Match are enforced, also in a race'
}

async function conditionalComplete(place: Place): Promise<string> {
  const { etag } = await put(place, 'completed')
  await conditions('a Complete', (condition) => completed(place, 'completed', condition), etag)
  return 'a Complete with If-None-Match over an object, and one with another If-Match, is refused'
}

async function conditionalCopy(place: Place): Promise<string> {
  const { etag: source } = await put(place, 'there')
  const { etag } = await put(place, 'over')
  await conditions('a copy', (condition) => copy(place, 'over', source, condition), etag)
  return 'a copy with If-None-Match over an object, and one with another If-Match, is refused'
}

/** Both conditions over an object with this ETag: what does not hold is refused, what holds goes through. */
async function conditions(
  what: string,
  write: (condition: WriteCondition) => Promise<unknown>,
  etag: string,
): Promise<void> {
  await refused(write({ ifNoneMatch: '*' }), `${what} with If-None-Match over an object`)
  await refused(write({ ifMatch: OTHER_ETAG }), `${what} with another If-Match`)
  await write({ ifMatch: etag })
}

/** An upload of its own for each: what a refused Complete leaves of one is not asked here. */
async function completed({ store, bucket, key }: Place, name: string, condition: WriteCondition): Promise<WriteResult> {
  const upload = { bucket, key: key(name), uploadId: await store.createUpload(bucket, key(name), { metadata: {} }) }
  try {
    const { etag } = await store.putPart(upload, 1, bodyOf('part'), {})
    return await store.completeUpload(upload, { parts: [{ partNumber: 1, etag }], condition })
  } catch (error) {
    await store.abortUpload(upload).catch(() => undefined)
    throw error
  }
}

/**
 * What declaration and trial both allow: a trial may win a race by luck, so that a declared no stays one. What could not be tried is
 * believed of a provider that is known, and of no other.
 */
export function corrected(profile: Profile, findings: readonly Finding[]): Profile {
  const holds = (ability: TriedAbility): boolean => {
    const found = findings.find((one) => one.ability === ability)?.found ?? 'unknown'
    return found === 'yes' || (found === 'unknown' && profile.known)
  }
  const abilities = [...PROBED_ABILITIES, 'versions' as const]
  const subresources = profile.subresources.filter(holds)
  return {
    ...profile,
    ...Object.fromEntries(abilities.map((ability) => [ability, profile[ability] && holds(ability)])),
    subresources,
    tags: profile.tags && subresources.includes('object?tagging'),
    objectLock: profile.objectLock && subresources.includes('object?retention'),
  }
}
