import { describe, expect, test } from 'vitest'
import { type LimitedUser, Usage, type UsageLimits } from '../../src/access/usage.ts'

const DAY = 86_400_000
let now = 20_000 * DAY + 1_000

const one = (limits: UsageLimits, name = 'credential A'): LimitedUser[] => [{ name, limits }]

/** Seconds to wait, or 0 where it is let in. */
function wait(usage: Usage, users: readonly LimitedUser[]): number {
  try {
    usage.admit(users)
    return 0
  } catch (error) {
    expect(error).toMatchObject({ code: 'SlowDown', status: 503 })
    return Number((error as { headers: Record<string, string> }).headers['retry-after'])
  }
}
const admitted = (usage: Usage, users: readonly LimitedUser[], times: number): number =>
  Array.from({ length: times }, () => wait(usage, users)).filter((seconds) => seconds === 0).length

describe('limits of use', () => {
  test('requests of two seconds may come at once, then as many as the rate', () => {
    const usage = new Usage(() => now)
    const users = one({ requestsPerSecond: 10 })
    expect(admitted(usage, users, 50)).toBe(20)
    expect(wait(usage, users)).toBe(1)
    now += 1_000
    expect(admitted(usage, users, 50)).toBe(10)
    now += 3_600_000
    expect(admitted(usage, users, 50)).toBe(20)
  })

  test('bytes are known at the end: who has moved too many waits until they are paid for', () => {
    const usage = new Usage(() => now)
    const users = one({ bytesPerSecond: 1_000 })
    usage.admit(users)(12_000)
    expect(wait(usage, users)).toBe(10)
    now += 9_900
    expect(wait(usage, users)).toBe(1)
    now += 200
    expect(wait(usage, users)).toBe(0)
  })

  test('requests at once count until their end', () => {
    const usage = new Usage(() => now)
    const users = one({ requestsAtOnce: 2 })
    const end = usage.admit(users)
    usage.admit(users)
    expect(wait(usage, users)).toBe(1)
    end(0)
    expect(wait(usage, users)).toBe(0)
  })

  test('quotas end at midnight', () => {
    now = 20_001 * DAY - 5_000
    const usage = new Usage(() => now)
    const requests = one({ requestsPerDay: 2 }, 'credential A')
    const bytes = one({ bytesPerDay: 100 }, 'credential B')
    expect(admitted(usage, requests, 5)).toBe(2)
    usage.admit(bytes)(100)
    expect([wait(usage, requests), wait(usage, bytes)]).toEqual([5, 5])
    now += 5_000
    expect([wait(usage, requests), wait(usage, bytes)]).toEqual([0, 0])
  })

  test('who is over one limit is charged by none', () => {
    const usage = new Usage(() => now)
    const own = one({ requestsAtOnce: 5 })
    const both = [...own, ...one({ requestsAtOnce: 1 }, 'bucket b')]
    usage.admit(both)
    expect(admitted(usage, both, 10)).toBe(0)
    expect(admitted(usage, own, 10)).toBe(4)
  })

  test('several workers have their part each, and never none', () => {
    const usage = new Usage(() => now, 1 / 4)
    expect(admitted(usage, one({ requestsAtOnce: 8 }), 20)).toBe(2)
    expect(admitted(usage, one({ requestsAtOnce: 1 }, 'credential B'), 20)).toBe(1)
  })

  test('a limit that comes while requests run asks for nothing that was used before it', () => {
    const usage = new Usage(() => now)
    for (let i = 0; i < 100; i += 1) usage.admit(one({ requestsAtOnce: 1_000 }))(1_000_000)
    now += 1_000
    expect(wait(usage, one({ requestsPerSecond: 1, bytesPerSecond: 1_000 }))).toBeLessThanOrEqual(1)
    now += 1_000
    expect(wait(usage, one({ requestsPerSecond: 1, bytesPerSecond: 1_000 }))).toBe(0)
  })

  test('a clock that goes back neither gives nor takes', () => {
    const usage = new Usage(() => now)
    const users = one({ requestsPerSecond: 1 })
    expect(admitted(usage, users, 5)).toBe(2)
    now -= 10_000
    expect(admitted(usage, users, 5)).toBe(0)
    now += 11_000
    expect(admitted(usage, users, 5)).toBe(1)
  })
})
