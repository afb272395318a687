/** Work that no request asks for: once an hour, or every few minutes, in each process. */
import { bucketRule, namedBuckets } from '../config/bucket-rules.ts'
import type { Settings } from '../config/settings.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { cleanUploads } from '../jobs/clean-uploads.ts'
import { countPlaintext, mixedBuckets } from '../jobs/count-plaintext.ts'
import type { JobWatch } from '../jobs/watch-jobs.ts'
import type { AbandonedUploads } from '../state/abandoned-uploads.ts'
import { alarm, plaintextLeft, uploadsSeen } from '../telemetry/channels.ts'

const HOUR_MILLISECONDS = 3_600_000
const JOBS_MILLISECONDS = 120_000

export interface HouseParts {
  readonly abandoned: AbandonedUploads
  readonly jobs: JobWatch
  readonly settings: () => Settings
}

/** Begins. Returns what stops it. */
export function keepHouse(gateway: Gateway, { abandoned, jobs, settings }: HouseParts): () => void {
  const stop = new AbortController()
  const { signal } = stop
  const stops = [
    regularly(gateway, 'forget completed uploads', signal, () => gateway.uploads.expireDone(signal)),
    regularly(gateway, 'collect all abandoned uploads', signal, () => collect(gateway, abandoned, settings(), signal)),
    regularly(gateway, 'count what is left in plaintext', signal, () => countAll(gateway, settings(), signal)),
    regularly(gateway, 'see how far jobs are', signal, () => jobs.look(), JOBS_MILLISECONDS),
  ]
  return () => {
    stop.abort()
    for (const end of stops) end()
  }
}

async function collect(
  { store, clock }: Gateway,
  uploads: AbandonedUploads,
  { uploads: { abandonedAfter } }: Settings,
  signal: AbortSignal,
): Promise<void> {
  const found = await cleanUploads({ uploads, store, clock }, { abandonedAfter, signal })
  const { whyFailed, open, abandoned, leftovers, unreadable, failed, more } = found
  uploadsSeen.publish({ complete: !more, open, abandoned, leftovers, stuck: unreadable + failed })
  if (whyFailed !== undefined) throw whyFailed
}

/** Looks through the buckets of mixed contents and publishes what it finds; one that cannot be listed does not keep the others from being counted. Throws the signal's reason. */
export async function countAll(gateway: Gateway, settings: Settings, signal: AbortSignal): Promise<void> {
  for (const bucket of await bucketsToCount(gateway, settings)) {
    try {
      const { examined, plain } = await countIn(gateway, bucket, signal)
      plaintextLeft.publish({ bucket, examined, plain })
    } catch (cause) {
      signal.throwIfAborted()
      alarm.publish({ what: 'could not count what is left in plaintext', detail: { bucket }, cause })
    }
  }
}

/** The buckets whose contents are mixed. The store is not asked where the settings name none. */
export async function bucketsToCount({ store }: Gateway, settings: Settings): Promise<string[]> {
  const { buckets } = settings
  if (!buckets.some(({ contents }) => contents === 'mixed')) return []
  return mixedBuckets(store, namedBuckets(settings), (bucket) => bucketRule(settings, bucket).contents === 'mixed')
}

/** What is left in plaintext in one of them. */
export function countIn(gateway: Gateway, bucket: string, signal: AbortSignal) {
  return countPlaintext(gateway.store, bucket, {
    arePlain: (entries) => gateway.plain.arePlain(gateway, bucket, entries),
    signal,
  })
}

/** Runs `work` every so often, from a moment of its own: replicas that start together should not do the same together. Never twice at once. A run that the signal ends has not failed. */
function regularly(
  { background, random }: Gateway,
  what: string,
  signal: AbortSignal,
  work: () => Promise<void>,
  milliseconds = HOUR_MILLISECONDS,
): () => void {
  let running = false
  const once = async (): Promise<void> => {
    if (running) return
    running = true
    try {
      await work()
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      running = false
    }
  }
  const run = (): void => background.run(what, once)
  let later = setTimeout(
    () => {
      run()
      later = setInterval(run, milliseconds).unref()
    },
    (random(2).readUInt16BE() / 0x10000) * milliseconds,
  ).unref()
  return () => clearTimeout(later)
}
