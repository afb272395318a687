/** The first contact with a remote store: what it can do is tried once and remembered in the state store. */
import { S3Store } from '../backends/s3.ts'
import { corrected, type Finding, probe, probeNative } from '../backends/s3/probe.ts'
import { PROFILES } from '../backends/s3/profiles.ts'
import { isSubresource } from '../backends/s3/subresources.ts'
import { type ObjectStore, StoreError } from '../backends/object-store.ts'
import type { S3StoreSettings, StoreSettings } from '../config/store-settings.ts'
import { Denied, Integrity, Invalid, Unavailable } from '../errors.ts'
import { sha256Hex } from '../format/hash.ts'
import { withProcessLocks } from '../state/process-locks.ts'
import type { StateStore } from '../state/state-store.ts'
import { alarm } from '../telemetry/channels.ts'

/** Findings of an earlier one were tried less thoroughly: they are tried anew. */
const FINDINGS_VERSION = 2

export interface Contact {
  readonly settings: S3StoreSettings
  readonly state: StateStore
  readonly random: (bytes: number) => Buffer
}

/** What was found about a store: remembered, or found now. `undefined` if there is no bucket in which it could be tried. */
export async function knownFindings(store: S3Store, contact: Contact): Promise<readonly Finding[] | undefined> {
  return (await readFindings(contact)) ?? probeAndRemember(store, contact)
}

/** Tries a store in a bucket that is made for it, and remembers what was found. */
export async function probeAndRemember(store: S3Store, contact: Contact): Promise<readonly Finding[] | undefined> {
  const bucket = `sealgate-probe-${contact.random(8).toString('hex')}`
  const refused = await store.createBucket(bucket).then(() => undefined, notOurs)
  if (refused !== undefined) return untried(contact, 'make a bucket to try it in', refused)
  try {
    const tried = await probe(store, bucket, 'probe/').catch(refusalOf)
    if (tried instanceof Error) return untried(contact, 'write into the bucket made to try it in', tried)
    const { subresources } = PROFILES[contact.settings.profile]
    const findings = [...tried, ...(await probeNative(store, bucket, subresources))]
    // A store that failed while it was tried is tried again at the next start.
    if (findings.every(({ failed }) => failed === undefined)) {
      await contact.state.put(
        pathOf(contact.settings),
        Buffer.from(JSON.stringify({ version: FINDINGS_VERSION, findings })),
      )
    }
    tellDifferences(contact.settings, findings)
    return findings
  } finally {
    await store.deleteBucket(bucket).catch((cause: unknown) => {
      alarm.publish({ what: 'a bucket made for a trial could not be deleted', detail: { bucket }, cause })
    })
  }
}

/** Says aloud what that means. */
function untried({ settings: { endpoint, profile } }: Contact, what: string, cause: Error): undefined {
  const believed = PROFILES[profile].known ? 'its profile is believed' : 'nothing is relied on that needs a trial'
  alarm.publish({ what: `the store does not let us ${what}: ${believed}`, detail: { endpoint, profile }, cause })
}

/** A refusal in whatever words: our access, the number of buckets, the region. Throws what is none. */
function refusalOf(cause: unknown): Error {
  if (cause instanceof Denied || cause instanceof Invalid || cause instanceof StoreError) return cause
  throw cause
}

/** Of a name drawn at random, that it exists says that our first request came through, and its answer did not. */
function notOurs(cause: unknown): Error | undefined {
  const ours = cause instanceof StoreError && cause.refusal === 'bucket-exists' && cause.answer === undefined
  return ours ? undefined : refusalOf(cause)
}

const pathOf = ({ endpoint, profile }: S3StoreSettings): string =>
  `profiles/${sha256Hex(JSON.stringify([endpoint, profile])).slice(0, 32)}`

async function readFindings({ state, settings }: Contact): Promise<readonly Finding[] | undefined> {
  const record = await state.get(pathOf(settings))
  if (record === undefined) return undefined
  try {
    const { version, findings }: { version: unknown; findings: Finding[] } = JSON.parse(record.bytes.toString())
    if (version === FINDINGS_VERSION && Array.isArray(findings)) return findings
  } catch (cause) {
    throw new Integrity('metadata failure', 'what the state store knows of the backend cannot be read', { cause })
  }
  return undefined
}

function tellDifferences(settings: S3StoreSettings, findings: readonly Finding[]): void {
  const { profile, endpoint } = settings
  const declared = PROFILES[profile]
  const refuted = findings.filter(({ found }) => found === 'no')
  const tell = (ability: string, found: string): void =>
    alarm.publish({
      what: 'the store does not do what its profile says; it is not relied on',
      detail: { endpoint, profile, ability, found },
    })
  for (const { ability, detail } of refuted) if (!isSubresource(ability) && declared[ability]) tell(ability, detail)
  const ignored = refuted.map(({ ability }) => ability).filter(isSubresource)
  // Whoever declares everything has declared nothing of them.
  if (ignored.length > 0 && declared.known) tell('sub-resources', `it ignores ${ignored.join(', ')}`)
}

/** The store with the profile that its findings leave. */
export async function contacted(
  store: ObjectStore,
  settings: StoreSettings,
  context: Omit<Contact, 'settings'>,
): Promise<ObjectStore> {
  if (!(store instanceof S3Store) || settings.type !== 's3') return store
  const findings = await knownFindings(store, { ...context, settings })
  return store.withProfile(corrected(PROFILES[settings.profile], findings ?? []))
}

/**
 * A state store whose conditional writes hold. A store that has none will do for one process, said aloud. Throws `Invalid`
 * for several, `Unavailable` if the store failed while it was tried.
 */
export async function withConditionalWrites(
  store: ObjectStore,
  { bucket, prefix, processes }: { readonly bucket: string; readonly prefix: string; readonly processes: number },
  random: (bytes: number) => Buffer,
): Promise<ObjectStore> {
  if (!(store instanceof S3Store)) return store
  const why = await whyUnconditional(store, bucket, `${prefix}profiles/probe-${random(8).toString('hex')}/`)
  if (why === undefined) return store
  if (processes > 1) {
    throw new Invalid(
      `the state store has no conditional writes (${why}), and ${processes} processes share it: set replicas and server.workers to 1, or keep the state in another store`,
    )
  }
  alarm.publish({
    what: 'THE STATE STORE HAS NO CONDITIONAL WRITES: this must be the only gateway that uses it',
    detail: { bucket, found: why },
  })
  return withProcessLocks(store)
}

/** `undefined` if its profile declares them and a trial finds them: either alone may be luck. */
async function whyUnconditional(store: S3Store, bucket: string, prefix: string): Promise<string | undefined> {
  if (!store.capabilities.conditionalWrites) return 'so its profile says'
  const [tried] = await probe(store, bucket, prefix, ['conditionalPut'])
  if (tried?.found === 'yes') return undefined
  if (tried?.failed === true) throw new Unavailable(`the state store failed while it was tried: ${tried.detail}`)
  return tried?.detail ?? 'it was not tried'
}

/** How a store is tried again, for whoever examines it. */
export function probing(
  store: ObjectStore,
  settings: StoreSettings,
  context: Omit<Contact, 'settings'>,
): { readonly probeBackend?: () => Promise<readonly Finding[] | undefined> } {
  if (!(store instanceof S3Store) || settings.type !== 's3') return {}
  return { probeBackend: () => probeAndRemember(store, { ...context, settings }) }
}
