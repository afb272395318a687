/** Settings become bucket keys; what becomes of these is told to log and metrics. */
import type { Settings } from '../config/settings.ts'
import { createBucketKeys } from '../keys/bucket-keys.ts'
import { withFailover } from '../keys/failover.ts'
import type { KeyManager, RotatingBucketKeys, Succession } from '../keys/key-manager.ts'
import type { Keyring } from '../keys/keyring.ts'
import { alarm, keyCache, keyCacheSize, keyFailover } from '../telemetry/channels.ts'

export interface BucketKeyParts {
  /** By alias. */
  readonly managers: ReadonlyMap<string, KeyManager>
  readonly keyring: Keyring
  /** Which managers have taken the place of others. */
  readonly succession?: Succession
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

/** How often open keys whose time is over are looked for. */
const FORGET_MILLISECONDS = 60_000

/** Asks no manager yet. `endKeys` ends every one, once nothing is under way. */
export function openBucketKeys(
  { keys: { active, failover, bucketKey, cache } }: Pick<Settings, 'keys'>,
  parts: BucketKeyParts,
): { readonly keys: RotatingBucketKeys; readonly endKeys: () => void } {
  const { clock } = parts
  const single = createBucketKeys({
    ...parts,
    activeAlias: active,
    lifetimeSeconds: bucketKey.lifetime / 1_000,
    cacheEntries: cache.entries,
    cacheSeconds: cache.lifetime / 1_000,
    graceSeconds: cache.grace / 1_000,
    onCache: (event) => keyCache.publish({ event }),
    onCacheSize: (entries, oldest) => keyCacheSize.publish({ entries, oldest }),
    onAlarm: ({ kind, namespace, kid, cause }) => {
      alarm.publish({ what: `key alarm: ${kind}`, detail: { namespace, kid: kid?.toString('hex') ?? '' }, cause })
    },
  })
  const keys = withFailover(single, {
    order: failover,
    clock,
    entries: cache.entries,
    onFailover: ({ namespace, manager, cause, fresh }) => {
      keyFailover.publish({ manager })
      if (fresh) alarm.publish({ what: 'key alarm: failover', detail: { namespace, manager }, cause })
    },
  })
  const forgetting = setInterval(() => keys.forgetExpired(), FORGET_MILLISECONDS).unref()
  const endKeys = (): void => {
    clearInterval(forgetting)
    keys.close()
  }
  return { keys, endKeys }
}
