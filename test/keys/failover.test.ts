/** Who seals while the active key manager does not answer: real requests, providers that are really stopped. */
import { afterEach, describe, expect, it } from 'vitest'
import { of } from '../helpers/key-faults.ts'
import { HOUR, MINUTE, type OutageOptions, OutageWorld, SECOND } from '../helpers/outage-world.ts'

let world: OutageWorld

afterEach(() => world.close())

const open = async (options: OutageOptions = {}) => {
  const buckets = [{ match: 'tenant', keys: 'main', copy: 'rewrap', contents: 'sealed', public: 'none' }] as const
  world = await OutageWorld.open(
    { main: 'aws-kms', second: 'vault-transit', third: 'aws-kms' },
    { keys: { failover: ['second', 'third'] }, buckets, ...options },
  )
  await world.createBuckets('used', 'new', 'tenant')
  const replica = await world.replica()
  expect(await world.put(replica, 'used', 'before')).toMatchObject({ status: 200 })
  expect(await world.sealedUnder('used', 'before')).toEqual({ alias: 'main', recorded: true })
  return replica
}

describe('while the active key manager does not answer', () => {
  it('the next one makes the keys of buckets that have none, told once, and only of those', async () => {
    const replica = await open()
    await world.provider().stop()
    for (const key of ['a', 'b']) expect(await world.put(replica, 'new', key, key)).toMatchObject({ status: 200 })
    expect(await world.put(replica, 'used', 'a')).toMatchObject({ status: 200 })
    for (const key of ['a', 'b']) {
      expect(await world.sealedUnder('new', key)).toEqual({ alias: 'second', recorded: true })
    }
    expect(await world.sealedUnder('used', 'a')).toEqual({ alias: 'main', recorded: true })
    expect(world.lines('key alarm: failover')).toMatchObject([{ namespace: 'new', manager: 'second', level: 'error' }])
    expect(await world.metric('sealgate_key_failover_total{manager="second"}')).toBe(1)
    world.now += MINUTE
    expect(await world.put(replica, 'new', 'c')).toMatchObject({ status: 200 })
    expect(world.lines('key alarm: failover')).toHaveLength(1)
    expect(await world.metric('sealgate_key_failover_total{manager="second"}')).toBe(2)
  })

  it('the key of the period before goes before the manager that stands in', async () => {
    const replica = await open()
    await world.provider().stop()
    world.now += HOUR
    expect(await world.put(replica, 'used', 'after')).toMatchObject({ status: 200 })
    expect(await world.sealedUnder('used', 'after')).toEqual({ alias: 'main', recorded: true })
  })

  it('what was sealed so is read by every gateway, without the active one', async () => {
    const replica = await open()
    await world.provider().stop()
    await world.put(replica, 'new', 'a', 'content')
    expect(await world.get(await world.replica(), 'new', 'a')).toMatchObject({ status: 200, body: 'content' })
  })

  it('the active one seals again once it answers, within a probe interval, and what was sealed meanwhile stays readable', async () => {
    const replica = await open()
    await world.provider().stop()
    await world.put(replica, 'new', 'a', 'content')
    await world.provider().start()
    world.now += 5 * SECOND
    expect(await world.put(replica, 'new', 'b')).toMatchObject({ status: 200 })
    expect(await world.sealedUnder('new', 'b')).toEqual({ alias: 'main', recorded: true })
    expect(await world.get(replica, 'new', 'a')).toMatchObject({ status: 200, body: 'content' })
  })

  it('one that cannot stand in leaves it to the next, and where nobody can it is 503', async () => {
    const replica = await open()
    await world.provider().stop()
    await world.provider('second').stop()
    expect(await world.put(replica, 'new', 'a')).toMatchObject({ status: 200 })
    expect(await world.sealedUnder('new', 'a')).toEqual({ alias: 'third', recorded: true })
    await world.provider('third').stop()
    world.now += 2 * HOUR
    const lone = await world.replica()
    const refused = await world.put(lone, 'new', 'b')
    expect(refused).toMatchObject({ status: 503, code: 'ServiceUnavailable' })
    expect(refused.retryAfter).toBeGreaterThanOrEqual(1)
  })

  it('nobody stands in for a manager that was named, by the settings of the bucket or by the client', async () => {
    const replica = await open()
    await world.provider().stop()
    expect(await world.put(replica, 'tenant', 'a')).toMatchObject({ status: 503 })
    const named = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'main' }
    expect(await world.put(replica, 'new', 'a', 'x', named)).toMatchObject({ status: 503 })
    expect(await world.put(replica, 'new', 'a', 'x', { ServerSideEncryption: 'aws:kms' })).toMatchObject({
      status: 200,
    })
  })

  it('a gateway is ready, and says which manager it does without', async () => {
    await open()
    await world.provider().stop()
    const late = await world.replica()
    expect(await late.ready()).toEqual({
      status: 200,
      dependencies: { 'keys/main': 'degraded', 'keys/second': 'ok', 'keys/third': 'ok' },
    })
  })
})

it('a manager that refuses gives an order: nobody stands in for it', async () => {
  const replica = await open()
  of(world, 'aws-kms').kms.setState('alias/main', 'Disabled')
  expect(await world.put(replica, 'new', 'a')).toMatchObject({ status: 400, code: 'KMS.DisabledException' })
  expect(world.lines('key alarm: failover')).toEqual([])
})

it('without an order nobody stands in', async () => {
  const replica = await open({ keys: {} })
  await world.provider().stop()
  expect(await world.put(replica, 'new', 'a')).toMatchObject({ status: 503 })
})
