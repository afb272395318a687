import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { Denied, Integrity, Unavailable } from '../../src/errors.ts'
import type { BreakerState } from '../../src/keys/breaker.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { type KeyCall, ResilientKeyManager } from '../../src/keys/resilient.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const RETRY = { attempts: 3, budget: 10_000, baseDelay: 100, maxDelay: 400 }
const BREAKER = { failures: 5, probeInterval: 10_000 }

/** A manager whose calls fail while `failure` is set, and a clock that moves only by sleeping. */
class World {
  readonly inner = new MemoryKeyManager({ alias: 'main', random: randomBytes })
  readonly states: BreakerState[] = []
  readonly told: KeyCall[] = []
  now = 0
  calls = 0
  failure: Error | undefined

  open(): ResilientKeyManager {
    const counted = <A extends unknown[], T>(work: (...args: A) => Promise<T>) => {
      return async (...args: A): Promise<T> => {
        this.calls += 1
        if (this.failure !== undefined) throw this.failure
        return work(...args)
      }
    }
    const { inner } = this
    const manager: KeyManager = {
      alias: inner.alias,
      tag: inner.tag,
      generate: counted(inner.generate.bind(inner)),
      wrap: counted(inner.wrap.bind(inner)),
      unwrap: counted(inner.unwrap.bind(inner)),
      rewrap: counted(inner.rewrap.bind(inner)),
      health: counted(inner.health.bind(inner)),
      close: () => inner.close(),
    }
    const timing = {
      now: () => this.now,
      random: () => 1,
      sleep: async (milliseconds: number) => {
        this.now += milliseconds
      },
    }
    return new ResilientKeyManager(manager, {
      retry: RETRY,
      breaker: BREAKER,
      timing,
      onBreaker: (state) => this.states.push(state),
      onCall: (call) => this.told.push(call),
    })
  }
}

const create = async (): Promise<ResilientKeyManager> => new World().open()
keyManagerContract('memory, made resilient', {
  tag: 'm',
  create,
  stranger: create,
  bindsContext: true,
  wrapsAtRandom: true,
})

describe('a resilient key manager', () => {
  let world: World
  let manager: ResilientKeyManager

  beforeEach(() => {
    world = new World()
    manager = world.open()
  })

  const fail = async (times: number): Promise<void> => {
    world.failure = new Unavailable('gone')
    while (world.calls < times) await manager.health().catch(() => undefined)
  }

  it('tries again, a little later each time, as often as the policy says', async () => {
    world.failure = new Unavailable('gone')
    await expect(manager.generate(CONTEXT)).rejects.toBe(world.failure)
    expect(world).toMatchObject({ calls: 3, now: 100 + 200 })
  })

  it.each([new Denied('no'), new Integrity('unwrap failure', 'broken')])('takes %s for an answer', async (failure) => {
    world.failure = failure
    for (let i = 0; i < 20; i += 1) await expect(manager.generate(CONTEXT)).rejects.toBe(failure)
    expect(world).toMatchObject({ calls: 20, states: [] })
  })

  it('asks nothing any more after so many failures in a row, and says when it will', async () => {
    await fail(5)
    expect(world.states).toEqual(['open'])
    world.now += 4_000
    await expect(manager.unwrap(Buffer.alloc(1), CONTEXT)).rejects.toMatchObject({
      kind: 'unavailable',
      retryAfter: 6_000,
    })
    expect(world.calls).toBe(5)
  })

  it('lets one call try after the interval, and all after it was answered', async () => {
    await fail(5)
    world.failure = undefined
    world.now += 10_000
    const calls = [manager.generate(CONTEXT), manager.generate(CONTEXT), manager.generate(CONTEXT)]
    const done = await Promise.allSettled(calls)
    expect(done.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
    await manager.generate(CONTEXT)
    expect(world.states).toEqual(['open', 'half-open', 'closed'])
  })

  it('stays closed to others for another interval if that call fails too', async () => {
    await fail(5)
    world.now += 10_000
    await expect(manager.generate(CONTEXT)).rejects.toThrow('gone')
    expect(world.calls).toBe(6)
    await expect(manager.generate(CONTEXT)).rejects.toThrow('not asked')
    expect(world.calls).toBe(6)
  })

  it('is open again for all as soon as a look at its health finds it back', async () => {
    await fail(5)
    world.failure = undefined
    await manager.health()
    await manager.generate(CONTEXT)
    expect(world.states).toEqual(['open', 'closed'])
  })

  it('tells of every call what came of it, and of those that were not made', async () => {
    const { wrapped } = await manager.generate(CONTEXT)
    for (const failure of [new Denied('no'), new Integrity('unwrap failure', 'broken'), new Error('a bug')]) {
      world.failure = failure
      await manager.unwrap(wrapped, CONTEXT).catch(() => undefined)
    }
    await fail(world.calls + 5)
    world.failure = undefined
    await manager.wrap(Buffer.alloc(32), CONTEXT).catch(() => undefined)
    expect(world.told.map(({ call, outcome }) => `${call} ${outcome}`)).toEqual([
      'generate ok',
      'unwrap denied',
      'unwrap integrity',
      'unwrap failed',
      ...Array.from({ length: 5 }, () => 'health unavailable'),
      'wrap not-asked',
    ])
  })

  it('counts failures in a row: one answer begins anew', async () => {
    await fail(4)
    world.failure = undefined
    await manager.health()
    world.calls = 0
    await fail(4)
    expect(world.states).toEqual([])
  })
})
