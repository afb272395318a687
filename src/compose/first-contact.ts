/** The first contact with a remote store: what it can do is tried once and remembered in the state store. */
import { S3Store } from '../backends/s3.ts'
import { corrected, type Finding, probe, probeNative } from '../backends/s3/probe.ts'
import { PROFILES } from '../backends/s3/profiles.ts'
import { isSubresource } from '../backends/s3/subresources.ts'
import { type ObjectStore, StoreError } from '../backends/object-store.ts'
import type { S3StoreSettings, StoreSettings } from '../config/store-settings.ts'
import { Denied, Integrity, Invalid } from '../errors.ts'
import { sha256Hex } from '../format/hash.ts'
import { withProcessLocks } from '../state/process-locks.ts'
import type { StateStore } from '../state/state-store.ts'
import { alarm } from '../telemetry/channels.ts'

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
  const refused = await store.createBucket(bucket).then(() => undefined, refusalOf)
  if (refused !== undefined) {
    const { endpoint, profile } = contact.settings
    const believed = PROFILES[profile].known ? 'its profile is believed' : 'nothing is relied on that needs a trial'
    alarm.publish({
      what: `the store does not let us make a bucket to try it in: ${believed}`,
      detail: { endpoint, profile },
      cause: refused,
    })
    return undefined
  }
  try {
    const { subresources } = PROFILES[contact.settings.profile]
    const findings = [...(await probe(store, bucket, 'probe/')), ...(await probeNative(store, bucket, subresources))]
    // A store that failed while it was tried is tried again at the next start.
    if (findings.every(({ failed }) => failed === undefined)) {
      await contact.state.put(
        pathOf(contact.settings),
        Buffer.from(JSON.stringify({ version: RECORD_VERSION, findings })),
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

/** A refusal in whatever words: our access, the number of buckets, the region. Throws what is none. */
function refusalOf(cause: unknown): Error | undefined {
  // Of a name drawn at random it says that our first request came through, and its answer did not.
  const ours = cause instanceof StoreError && cause.refusal === 'bucket-exists' && cause.answer === undefined
  if (ours) return undefined
  if (cause instanceof Denied || cause instanceof Invalid || cause instanceof StoreError) return cause
  throw cause
}

/** What an earlier release tried is tried anew. */
const RECORD_VERSION = 2

const pathOf = ({ endpoint, profile }: S3StoreSettings): string =>
  `profiles/${sha256Hex(JSON.stringify([endpoint, profile])).slice(0, 32)}`

async function readFindings({ state, settings }: Contact): Promise<readonly Finding[] | undefined> {
  const record = await state.get(pathOf(settings))
  if (record === undefined) return undefined
  try {
    const { version, findings }: { version: unknown; findings: Finding[] } = JSON.parse(record.bytes.toString())
    if (version === RECORD_VERSION && Array.isArray(findings)) return findings
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
 * for several.
 */
export async function withConditionalWrites(
  store: ObjectStore,
  { bucket, prefix, processes }: { readonly bucket: string; readonly prefix: string; readonly processes: number },
  random: (bytes: number) => Buffer,
): Promise<ObjectStore> {
  if (!(store instanceof S3Store)) return store
  const findings = await probe(store, bucket, `${prefix}profiles/probe-${random(8).toString('hex')}/`)
  const conditional = findings.find(({ ability }) => ability === 'conditionalPut')
  if (conditional?.found === 'yes') return store
  const why = conditional?.detail ?? ''
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

/** How a store is tried again, for whoever examines it. */
export function probing(
  store: ObjectStore,
  settings: StoreSettings,
  context: Omit<Contact, 'settings'>,
): { readonly probeBackend?: () => Promise<readonly Finding[] | undefined> } {
  if (!(store instanceof S3Store) || settings.type !== 's3') return {}
  return { probeBackend: () => probeAndRemember(store, { ...context, settings }) }
}
