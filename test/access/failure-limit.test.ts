import { describe, expect, test } from 'vitest'
import { FailureLimit } from '../../src/access/failure-limit.ts'

let now = 1_000_000
const limit = () => new FailureLimit(() => now)
const fail = (one: FailureLimit, address: string, times: number): void => {
  for (let n = 0; n < times; n += 1) one.failed(address)
}

describe('a limit on failures', () => {
  test('allows ten at once, then one every six seconds', () => {
    const one = limit()
    fail(one, '192.0.2.1', 9)
    expect(one.wait('192.0.2.1')).toBeUndefined()
    fail(one, '192.0.2.1', 1)
    expect(one.wait('192.0.2.1')).toEqual({ wait: 6_000, first: true })
    expect(one.wait('192.0.2.1')).toEqual({ wait: 6_000, first: false })
    now += 5_999
    expect(one.wait('192.0.2.1')).toMatchObject({ wait: 1 })
    now += 1
    expect(one.wait('192.0.2.1')).toBeUndefined()
    fail(one, '192.0.2.1', 1)
    expect(one.wait('192.0.2.1')).toEqual({ wait: 6_000, first: true })
    now += 60_000
    fail(one, '192.0.2.1', 9)
    expect(one.wait('192.0.2.1')).toBeUndefined()
  })

  test.each([
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.1', '::ffff:192.0.2.1', true],
    ['2001:db8:0:1::5', '2001:DB8:0:1:ffff::6', true],
    ['2001:db8:0:1::5', '2001:db8:0:2::5', false],
    ['2001:db8::1', '2001:db8:0:0:1:2:3:4', true],
    ['fe80::1%eth0', 'fe80::2%eth1', true],
    ['::1', '::2', true],
    ['::1', '2001:db8::1', false],
  ])('counts %s and %s together: %s', (failing, other, together) => {
    const one = limit()
    fail(one, failing, 10)
    expect(one.wait(other) !== undefined).toBe(together)
  })

  test('holds for all addresses together', () => {
    const one = limit()
    for (let n = 0; n < 100; n += 1) one.failed(`10.0.0.${n}`)
    expect(one.wait('192.0.2.9')).toEqual({ wait: 600, first: true })
    now += 600
    expect(one.wait('192.0.2.9')).toBeUndefined()
  })

  test('remembers a bounded number of addresses, the newest', () => {
    const one = limit()
    fail(one, '192.0.2.1', 10)
    for (let n = 0; n < 1_014; n += 1) one.failed(`10.1.${n >> 8}.${n & 255}`)
    now += 600
    expect(one.wait('192.0.2.1')).toMatchObject({ wait: 5_400 })
    for (let n = 0; n < 10; n += 1) one.failed(`10.2.0.${n}`)
    now += 1_200
    // Of the first nothing is left, and those of all together have gone by.
    expect(one.wait('192.0.2.1')).toBeUndefined()
  })

  test('keeps nobody out for long when the clock is set back', () => {
    const one = limit()
    fail(one, '192.0.2.1', 10)
    now -= 3_600_000
    expect(one.wait('192.0.2.1')).toMatchObject({ wait: 6_000 })
    now += 6_000
    expect(one.wait('192.0.2.1')).toMatchObject({ wait: 600 })
    now += 600
    expect(one.wait('192.0.2.1')).toBeUndefined()
  })
})
