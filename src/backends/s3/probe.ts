/** What a store really does where safety depends on it: tried with objects of our own, in a bucket of our own. */
import { Invalid, Unavailable } from '../../errors.ts'
import { type Body, HeldBody } from '../body.ts'
import { type ObjectStore, StoreError, type WriteCondition } from '../object-store.ts'
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

/** Tries each ability with keys below `prefix`, which are deleted afterwards. Throws only if the store does not answer at all. */
export async function probe(store: ObjectStore, bucket: string, prefix: string): Promise<Finding[]> {
  const keys = new Set<string>()
  const key = (name: string): string => {
    keys.add(`${prefix}${name}`)
    return `${prefix}${name}`
  }
  const put = (name: string, condition?: WriteCondition) =>
    store.put(bucket, key(name), bodyOf(name), {
      metadata: {},
      commit: async () => ({}),
      ...(condition === undefined ? {} : { condition }),
    })
  try {
    const there = await put('there')
    return [
      await finding('conditionalPut', () => conditionalPut(put, there.etag)),
      await finding('conditionalComplete', () => conditionalComplete(store, bucket, key('there'))),
      await finding('copySourceIfMatch', () => copied(key('copy'), { etag: OTHER_ETAG, guarded: false })),
      await finding('conditionalCopy', async () => {
        const source = await put('there')
        await put('over')
        return copied(key('over'), { etag: source.etag, guarded: true })
      }),
      await finding('conditionalDelete', async () => {
        await put('kept')
        return refused(store.delete(bucket, key('kept'), { ifMatch: OTHER_ETAG }), 'a DELETE with another If-Match')
      }),
      await finding('slashKeys', async () => {
        const size = await put('slash/')
          .then(() => store.head(bucket, key('slash/')))
          .then((info) => info?.size)
          .catch((cause: unknown) => {
            if (cause instanceof Unavailable) throw cause
            throw new Missing('an object whose name ends in a slash is refused')
          })
        if (size !== 'slash/'.length) throw new Missing('an object whose name ends in a slash loses its body')
        return 'an object whose name ends in a slash keeps its body'
      }),
    ]
  } finally {
    await Promise.all([...keys].map((one) => store.delete(bucket, one).catch(() => undefined)))
  }

  async function copied(
    target: string,
    { etag, guarded }: { readonly etag: string; readonly guarded: boolean },
  ): Promise<string> {
    const copy = store.copy(
      { bucket, key: key('there') },
      { bucket, key: target },
      { sourceIfMatch: etag, size: 5, metadata: {}, ...(guarded ? { condition: { ifNoneMatch: '*' } } : {}) },
    )
    return refused(copy, guarded ? 'a copy with If-None-Match over an object' : 'a copy of a source with another ETag')
  }
}

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

type Put = (name: string, condition?: WriteCondition) => Promise<{ readonly etag: string }>

async function conditionalPut(put: Put, etag: string): Promise<string> {
  await refused(put('there', { ifNoneMatch: '*' }), 'a PUT with If-None-Match over an object')
  await refused(put('there', { ifMatch: OTHER_ETAG }), 'a PUT with another If-Match')
  await put('there', { ifMatch: etag })
  const race = Array.from({ length: RACERS }, () => put('race', { ifNoneMatch: '*' }))
  const won = (await Promise.allSettled(race)).filter(({ status }) => status === 'fulfilled').length
  if (won !== 1) throw new Missing(`of ${RACERS} PUTs with If-None-Match at once ${won} go through`)
  return 'If-None-Match and If-Match are enforced, also in a race'
}

async function conditionalComplete(store: ObjectStore, bucket: string, key: string): Promise<string> {
  const upload = { bucket, key, uploadId: await store.createUpload(bucket, key, { metadata: {} }) }
  try {
    const { etag } = await store.putPart(upload, 1, bodyOf('part'), {})
    const parts = [{ partNumber: 1, etag }]
    const complete = store.completeUpload(upload, { parts, condition: { ifNoneMatch: '*' } })
    return await refused(complete, 'a Complete with If-None-Match over an object')
  } finally {
    await store.abortUpload(upload).catch(() => undefined)
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
