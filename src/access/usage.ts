/** How much a credential or a bucket may use: token buckets for rates, days for quotas. Whoever is over a limit is told to come back later. */
import { S3Error } from '../s3/errors.ts'

/** What is absent is not limited. All are of one gateway. */
export interface UsageLimits {
  readonly requestsPerSecond?: number | undefined
  /** Of bodies, both ways. */
  readonly bytesPerSecond?: number | undefined
  readonly requestsAtOnce?: number | undefined
  /** From midnight to midnight, UTC. */
  readonly requestsPerDay?: number | undefined
  readonly bytesPerDay?: number | undefined
}

/** Whose use is limited: its name for the log, under which it is counted too. */
export interface LimitedUser {
  readonly name: string
  readonly limits: UsageLimits
}

/** Ends a request that was admitted, with the bytes of its bodies. To be called once. */
export type EndUse = (bytes: number) => void

/** So many seconds' worth may come at once. */
const BURST_SECONDS = 2
const SECOND = 1_000
const DAY = 86_400_000

interface Used {
  /** Requests and bytes that may still come, at the time `at`. Bytes are known when they have come: there may be less than none. */
  requests: number
  bytes: number
  most: { readonly requests: number; readonly bytes: number }
  at: number
  open: number
  day: number
  requestsToday: number
  bytesToday: number
}

export class Usage {
  readonly #users = new Map<string, Used>()
  readonly #clock: () => number
  readonly #share: number

  /** `share`: the part of every limit that is this process's own, where several serve one gateway. `clock` in milliseconds since 1970. */
  constructor(clock: () => number, share = 1) {
    this.#clock = clock
    this.#share = share
  }

  /** Throws `SlowDown`, with Retry-After, for the first who is over a limit; nobody is charged then. */
  admit(users: readonly LimitedUser[]): EndUse {
    const now = this.#clock()
    const found = users.map((user) => ({ ...user, used: this.#used(user, now) }))
    for (const { name, limits, used } of found) requireRoom(name, this.#own(limits), used, now)
    for (const { used } of found) {
      used.requests -= 1
      used.requestsToday += 1
      used.open += 1
    }
    return (bytes) => {
      for (const { used } of found) {
        used.open -= 1
        used.bytes -= bytes
        used.bytesToday += bytes
      }
    }
  }

  #own(limits: UsageLimits): UsageLimits {
    if (this.#share === 1) return limits
    const part = (limit: number | undefined): number | undefined =>
      limit === undefined ? undefined : Math.max(1, Math.ceil(limit * this.#share))
    return {
      requestsPerSecond: part(limits.requestsPerSecond),
      bytesPerSecond: part(limits.bytesPerSecond),
      requestsAtOnce: part(limits.requestsAtOnce),
      requestsPerDay: part(limits.requestsPerDay),
      bytesPerDay: part(limits.bytesPerDay),
    }
  }

  /** As many as there are names in the settings. */
  #used({ name, limits }: LimitedUser, now: number): Used {
    const { requestsPerSecond = 0, bytesPerSecond = 0 } = this.#own(limits)
    const most = { requests: requestsPerSecond * BURST_SECONDS, bytes: bytesPerSecond * BURST_SECONDS }
    const day = Math.floor(now / DAY)
    const used = this.#users.get(name) ?? { ...most, most, at: now, open: 0, day, requestsToday: 0, bytesToday: 0 }
    this.#users.set(name, used)
    // Nothing is owed to a limit that was another.
    if (used.most.requests !== most.requests) used.requests = most.requests
    if (used.most.bytes !== most.bytes) used.bytes = most.bytes
    used.most = most
    // A clock that goes back gives nothing.
    const seconds = Math.max(0, now - used.at) / SECOND
    used.requests = Math.min(most.requests, used.requests + requestsPerSecond * seconds)
    used.bytes = Math.min(most.bytes, used.bytes + bytesPerSecond * seconds)
    used.at = Math.max(now, used.at)
    if (day > used.day) Object.assign(used, { day, requestsToday: 0, bytesToday: 0 })
    return used
  }
}

function requireRoom(name: string, limits: UsageLimits, used: Used, now: number): void {
  const { requestsPerSecond, bytesPerSecond, requestsAtOnce, requestsPerDay, bytesPerDay } = limits
  const tomorrow = (used.day + 1) * DAY - now
  if (requestsPerSecond !== undefined && used.requests < 1) {
    throw over(name, 'requestsPerSecond', ((1 - used.requests) / requestsPerSecond) * SECOND)
  }
  if (bytesPerSecond !== undefined && used.bytes <= 0) {
    throw over(name, 'bytesPerSecond', (-used.bytes / bytesPerSecond) * SECOND)
  }
  if (requestsAtOnce !== undefined && used.open >= requestsAtOnce) throw over(name, 'requestsAtOnce', SECOND)
  if (requestsPerDay !== undefined && used.requestsToday >= requestsPerDay) throw over(name, 'requestsPerDay', tomorrow)
  if (bytesPerDay !== undefined && used.bytesToday >= bytesPerDay) throw over(name, 'bytesPerDay', tomorrow)
}

const over = (name: string, limit: keyof UsageLimits, milliseconds: number): S3Error =>
  new S3Error('SlowDown', {
    headers: { 'retry-after': String(Math.max(1, Math.ceil(milliseconds / SECOND))) },
    cause: `${name} is over its limit ${limit}`,
  })
