/**
 * Configurations that are kept and told, and that nothing acts on yet: reported, never silently ignored. The store writes down with
 * each whether it waits, so that it can name the buckets without reading their documents, whichever process wrote them.
 */
import type { ObjectStore } from '../../backends/object-store.ts'
import { configurationWaits } from '../../telemetry/channels.ts'

/** Names of their documents, in reports too. `acl` are grants to others than the owner, which nobody evaluates. */
const WAITING_NAMES = ['accelerate', 'acl', 'lifecycle', 'logging', 'notification', 'replication'] as const

type WaitingName = (typeof WAITING_NAMES)[number]

/** Buckets are counted up to here: enough to say that there are many. */
const MOST_COUNTED = 100

export interface WaitingConfiguration {
  readonly configuration: WaitingName
  /** At most 100. */
  readonly buckets: number
  /** There are more than were counted. */
  readonly more: boolean
  /** One of them; not for those who may only ask for health. */
  readonly first: string
}

/** What waits in a store. A store that speaks S3 acts on its configurations itself. */
export async function waitingConfigurations({ documents }: ObjectStore): Promise<readonly WaitingConfiguration[]> {
  if (documents === undefined) return []
  const found = await Promise.all(
    WAITING_NAMES.map(async (configuration) => {
      const buckets = await documents.bucketsWaiting(configuration, MOST_COUNTED + 1)
      const [first] = buckets
      if (first === undefined) return []
      const more = buckets.length > MOST_COUNTED
      return [{ configuration, buckets: Math.min(buckets.length, MOST_COUNTED), more, first }]
    }),
  )
  return found.flat()
}

/** Publishes what waits in a store: once, when the gateway starts. */
export async function reportWaiting(store: ObjectStore): Promise<void> {
  for (const { configuration, buckets, first } of await waitingConfigurations(store)) {
    configurationWaits.publish({ configuration, buckets, bucket: first })
  }
}
