/** Work that no request asks for: once an hour, in each process. */
import { bucketRule, namedBuckets } from '../config/bucket-rules.ts'
import type { Settings } from '../config/settings.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { cleanUploads } from '../jobs/clean-uploads.ts'
import { countPlaintext, mixedBuckets } from '../jobs/count-plaintext.ts'
import type { AbandonedUploads } from '../state/abandoned-uploads.ts'
import { alarm, plaintextLeft, uploadsSeen } from '../telemetry/channels.ts'

const HOUR_MILLISECONDS = 3_600_000

/** Begins. Returns what stops it. */
export function keepHouse(gateway: Gateway, abandoned: AbandonedUploads, settings: () => Settings): () => void {
  const stop = new AbortController()
  const { signal } = stop
  const stops = [
    hourly(gateway, 'forget completed uploads', signal, () => gateway.uploads.expireDone(signal)),
    hourly(gateway, 'collect all abandoned uploads', signal, () => collect(gateway, abandoned, settings(), signal)),
    hourly(gateway, 'count what is left in plaintext', signal, () => countAll(gateway, settings(), signal)),
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

/** Runs `work` every hour from a minute of its own: replicas that start together should not do the same together. Never twice at once. A run that the signal ends has not failed. */
function hourly(
  { background, random }: Gateway,
  what: string,
  signal: AbortSignal,
  work: () => Promise<void>,
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
      later = setInterval(run, HOUR_MILLISECONDS).unref()
    },
    (random(2).readUInt16BE() / 0x10000) * HOUR_MILLISECONDS,
  ).unref()
  return () => clearTimeout(later)
}
