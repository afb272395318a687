/** How key managers fare, for the readiness of the gateway and for its log. */
import { Denied } from '../errors.ts'
import type { Dependency } from '../http/admin-server.ts'
import type { BucketKeys, KeyManager } from '../keys/key-manager.ts'
import { alarm } from '../telemetry/channels.ts'

/**
 * One dependency for each manager. The gateway serves without one for as long as anything can be served: another manager
 * answers, or a key is open. Taking a replica out of service helps nobody then, because its neighbours ask the same manager.
 */
export function keyDependencies(managers: readonly KeyManager[], keys: BucketKeys): Dependency[] {
  /** The newest look at each. */
  const looks = new Map<string, Promise<void>>()
  const said = new Map<string, string>()
  return managers.map((manager) => ({
    name: `${PREFIX}${manager.alias}`,
    check: () => {
      const look = manager.health().then(
        () => tellBack(said, manager.alias),
        (error: unknown) => {
          tellAway(said, manager.alias, error)
          throw error
        },
      )
      looks.set(manager.alias, look)
      return look
    },
    spare: async (error) => {
      if (keys.holds({ away: !(error instanceof Denied) })) return true
      return Promise.any(looks.values()).then(
        () => true,
        () => false,
      )
    },
  }))
}

/** Looks at every key manager once. What is wrong goes to the log: a gateway starts whether they answer or not. */
export async function lookAtKeyManagers(dependencies: readonly Dependency[]): Promise<void> {
  const managers = dependencies.filter(({ name }) => name.startsWith(PREFIX))
  await Promise.allSettled(managers.map((one) => one.check()))
}

const PREFIX = 'keys/'

/** Once for as long as nothing changes: readiness is asked for every few seconds. */
function tellAway(said: Map<string, string>, manager: string, cause: unknown): void {
  const why = cause instanceof Error ? cause.message : ''
  if (said.get(manager) === why) return
  said.set(manager, why)
  alarm.publish({ what: 'a key manager cannot be used', detail: { manager }, cause })
}

function tellBack(said: Map<string, string>, manager: string): void {
  if (said.delete(manager)) alarm.publish({ what: 'a key manager can be used again', detail: { manager } })
}
