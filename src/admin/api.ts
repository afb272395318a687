/** The admin API behind its listener: calls in, answers out. */
import { Denied, Invalid, Unavailable } from '../errors.ts'
import { countKeyring, type KeyringCount } from '../jobs/count-keyring.ts'
import { alarm } from '../telemetry/channels.ts'
import { type AdminAnswer, type AnswerAdmin, refuse } from './call.ts'
import { Content } from './content.ts'
import type { AdminParts } from './parts.ts'
import { AdminRefusal } from './refusal.ts'
import { RewrapRun } from './rewrap-run.ts'
import { ADMIN_ROUTES } from './routes.ts'
import type { AdminWorld } from './world.ts'

export interface AdminApi {
  readonly answer: AnswerAdmin
  /** Ends what goes on behind answers. */
  readonly close: () => Promise<void>
}

/** Seconds after which it may be worth to ask again what did not answer, if nobody knows better. */
const RETRY_SECONDS = 5

export function createAdminApi(parts: AdminParts): AdminApi {
  const stop = new AbortController()
  let counting: Promise<KeyringCount> | undefined
  const world: AdminWorld = {
    ...parts,
    countKeyring: () => {
      counting ??= countKeyring(parts.keyring, parts.managers.keys(), stop.signal).finally(() => {
        counting = undefined
      })
      return counting
    },
    rewrap: new RewrapRun(parts),
    signal: stop.signal,
  }
  return {
    answer: async ({ operation, input, caller }) => {
      const route = ADMIN_ROUTES.find((one) => one.operation === operation)
      if (route === undefined) return refuse('NotFound')
      if (stop.signal.aborted) return refuse('Unavailable', RETRY_SECONDS)
      try {
        const found = await route.run(world, input, caller)
        if (found instanceof Content) return { status: route.status, body: undefined, content: found }
        return { status: route.status, body: found }
      } catch (error) {
        return answerOf(error, operation)
      }
    },
    close: async () => {
      stop.abort()
      await world.rewrap.close()
    },
  }
}

/** What is wrong with settings or state is for the caller to put right. What does not answer, and why, is for the log. */
function answerOf(error: unknown, operation: string): AdminAnswer {
  if (error instanceof AdminRefusal) return refuse(error)
  if (error instanceof Invalid) return refuse(new AdminRefusal('Conflict', error.message))
  alarm.publish({ what: 'an operation of the admin API failed', detail: { operation }, cause: error })
  if (error instanceof Unavailable) {
    return refuse('Unavailable', Math.ceil((error.retryAfter ?? RETRY_SECONDS * 1_000) / 1_000))
  }
  if (!(error instanceof Denied)) return refuse('Internal')
  return refuse(new AdminRefusal('Unavailable', 'A store or a key manager refuses us; the log says which.'))
}
