import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startAttempts } from '../../../src/attempts.ts'
import { retryAfter } from '../../../src/backends/s3/retry.ts'

test('waits lie within their bounds, attempts and time within theirs', async () => {
  const policies = fc.record({
    attempts: fc.integer({ min: 1, max: 20 }),
    budget: fc.integer({ min: 0, max: 100_000 }),
    baseDelay: fc.integer({ min: 1, max: 5_000 }),
    maxDelay: fc.integer({ min: 1, max: 20_000 }),
  })
  const steps = fc.array(
    fc.record({
      took: fc.integer({ min: 0, max: 10_000 }),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      asked: fc.option(fc.integer({ min: 0, max: 30_000 }), { nil: undefined }),
    }),
    { minLength: 20, maxLength: 20 },
  )
  await fc.assert(
    fc.asyncProperty(policies, steps, async (policy, plan) => {
      let now = 1_000_000
      const waits: number[] = []
      const drawn = plan.map(({ random }) => random)
      const attempts = startAttempts(policy, {
        now: () => now,
        random: () => drawn.shift() ?? 0,
        sleep: async (milliseconds) => {
          waits.push(milliseconds)
          now += milliseconds
        },
      })
      let made = 1
      for (const { took, asked } of plan) {
        now += took
        const before = waits.length
        if (!(await attempts.again(asked))) {
          expect(waits.length).toBe(before)
          break
        }
        made += 1
        const wait = waits.at(-1) ?? Number.NaN
        const ceiling = Math.min(policy.maxDelay, policy.baseDelay * 2 ** (made - 2))
        expect(wait).toBeGreaterThanOrEqual(asked ?? 0)
        expect(wait).toBeLessThanOrEqual(Math.max(asked ?? 0, ceiling))
        expect(now - 1_000_000).toBeLessThanOrEqual(policy.budget)
      }
      expect(made).toBeLessThanOrEqual(policy.attempts)
    }),
    { numRuns: 300 },
  )
})

test('all of the time below the bound is used: full jitter', async () => {
  const waits: number[] = []
  const policy = { attempts: 4, budget: 100_000, baseDelay: 100, maxDelay: 10_000 }
  for (const drawn of [0, 0.25, 0.999]) {
    const sleep = async (milliseconds: number) => void waits.push(milliseconds)
    const attempts = startAttempts(policy, { now: () => 0, random: () => drawn, sleep })
    while (await attempts.again());
  }
  expect(waits.map(Math.round)).toEqual([0, 0, 0, 25, 50, 100, 100, 200, 400])
})

test('a sleep that fails is an error unless the signal says why', async () => {
  const policy = { attempts: 4, budget: 100, baseDelay: 1, maxDelay: 1 }
  const broken = new Error('no timers')
  const sleep = () => Promise.reject(broken)
  const timing = { now: () => 0, random: () => 0, sleep }
  await expect(startAttempts(policy, timing).again()).rejects.toBe(broken)
  const reason = new Error('the client left')
  await expect(startAttempts(policy, timing, AbortSignal.abort(reason)).again()).rejects.toBe(reason)
})

test.each([
  [undefined, undefined],
  ['0', 0],
  ['120', 120_000],
  ['1.5', undefined],
  ['-1', undefined],
  ['9999999', undefined],
  ['soon', undefined],
  ['Thu, 01 Jan 1970 00:01:00 GMT', 50_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
])('Retry-After %s', (value, expected) => {
  expect(retryAfter(value, 10_000)).toBe(expected)
})
