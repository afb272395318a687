/** The table "While a key manager is away" of docs/operations.md, cell by cell, with the provider really stopped. */
import { afterEach, describe, expect, it } from 'vitest'
import { of } from '../helpers/key-faults.ts'
import { HOUR, OutageWorld, SECOND } from '../helpers/outage-world.ts'
import { PROVIDER_NAMES } from '../helpers/remote-providers.ts'

let world: OutageWorld

afterEach(() => world.close())

const away = {
  status: 503,
  code: 'ServiceUnavailable',
  body: 'The service is temporarily unavailable. Retry the request.',
}

describe.each(PROVIDER_NAMES)('while %s is away', (name) => {
  const open = async () => {
    world = await OutageWorld.open({ main: name })
    await world.createBuckets('used', 'new')
    const warm = await world.replica()
    expect(await world.put(warm, 'used', 'k', 'content')).toMatchObject({ status: 200 })
    return warm
  }

  it('what is open is read: for its lifetime nobody notices, then for the grace, counted as stale, and then no longer', async () => {
    const warm = await open()
    await world.provider().stop()
    expect(await world.get(warm, 'used', 'k')).toMatchObject({ status: 200, body: 'content' })
    expect(await world.metric('sealgate_key_cache_total{event="stale"}')).toBe(0)
    world.now += 24 * HOUR
    expect(await world.get(warm, 'used', 'k')).toMatchObject({ status: 200, body: 'content' })
    expect(await world.metric('sealgate_key_cache_total{event="stale"}')).toBeGreaterThan(0)
    expect(await warm.ready()).toMatchObject({ status: 200, dependencies: { 'keys/main': 'degraded' } })
    world.now += HOUR
    expect(await world.get(warm, 'used', 'k')).toMatchObject(away)
    expect(await warm.ready()).toMatchObject({ status: 503, dependencies: { 'keys/main': 'failing' } })
  })

  it('what is not open is 503 with Retry-After, and the log says which manager and why', async () => {
    await open()
    const cold = await world.replica()
    await world.provider().stop()
    for (let i = 0; i < 3; i += 1) expect(await world.get(cold, 'used', 'k')).toMatchObject(away)
    const last = await world.get(cold, 'used', 'k')
    expect(last.retryAfter).toBe(5)
    const [refused] = world.lines('request refused')
    expect(refused).toMatchObject({ operation: 'GetObject', status: 503, level: 'error' })
    expect(String(refused?.['why'])).toMatch(/^Unavailable: .*key manager main/)
    expect(world.lines('a key manager does not answer')).toMatchObject([{ manager: 'main', probing: 5_000 }])
    expect(await world.metric('sealgate_key_manager_open{manager="main"}')).toBe(1)
    expect(
      await world.metric('sealgate_key_calls_total{manager="main",call="unwrap",outcome="unavailable"}'),
    ).toBeGreaterThanOrEqual(4)
    expect(
      await world.metric('sealgate_key_calls_total{manager="main",call="unwrap",outcome="not-asked"}'),
    ).toBeGreaterThan(0)
    await world.provider().start()
    world.now += 5 * SECOND
    expect(await world.get(cold, 'used', 'k')).toMatchObject({ status: 200 })
    expect(world.lines('a key manager answers again')).toHaveLength(1)
    expect(await world.metric('sealgate_key_manager_open{manager="main"}')).toBe(0)
    expect(await world.metric('sealgate_key_manager_answered_timestamp_seconds{manager="main"}')).toBe(
      world.now / 1_000,
    )
  })

  it('writes go on where there is an open key, and are 503 where there is none', async () => {
    const warm = await open()
    await world.provider().stop()
    expect(await world.put(warm, 'used', 'k2')).toMatchObject({ status: 200 })
    const refused = await world.put(warm, 'new', 'k')
    expect(refused).toMatchObject(away)
    expect(refused.retryAfter).toBeGreaterThanOrEqual(1)
    world.now += HOUR
    expect(await world.put(warm, 'used', 'k3')).toMatchObject({ status: 200 })
    expect(world.lines('key alarm: earlier-period')).toMatchObject([{ namespace: 'used' }])
    for (const key of ['k2', 'k3']) expect(await world.sealedUnder('used', key)).toMatchObject({ recorded: true })
    expect((await world.store.list('new', { prefix: '', limit: 9 })).objects).toEqual([])
  })

  it('a gateway starts, says so, is not ready, and becomes so by itself', async () => {
    await open()
    await world.provider().stop()
    const late = await world.replica()
    await late.look()
    expect(world.lines('a key manager cannot be used')).toMatchObject([{ manager: 'main' }])
    expect(await late.ready()).toEqual({ status: 503, dependencies: { 'keys/main': 'failing' } })
    expect(await world.get(late, 'used', 'k')).toMatchObject(away)
    await world.provider().start()
    expect(await late.ready()).toEqual({ status: 200, dependencies: { 'keys/main': 'ok' } })
    expect(world.lines('a key manager can be used again')).toMatchObject([{ manager: 'main' }])
    expect(await world.get(late, 'used', 'k')).toMatchObject({ status: 200 })
  })
})

it('a key manager that says nothing is told apart from one that serves, and readiness does not wait for it for ever', async () => {
  world = await OutageWorld.open({ main: 'aws-kms' })
  await world.createBuckets('used')
  const [warm, cold] = [await world.replica(), await world.replica()]
  expect(await world.put(warm, 'used', 'k')).toMatchObject({ status: 200 })
  of(world, 'aws-kms').kms.fault = 'silence'
  const [spared, failing] = await Promise.all([warm.ready(), cold.ready()])
  expect(spared).toEqual({ status: 200, dependencies: { 'keys/main': 'degraded' } })
  expect(failing).toEqual({ status: 503, dependencies: { 'keys/main': 'failing' } })
})

it('a key manager that refuses is not spared for keys whose time has run out', async () => {
  world = await OutageWorld.open({ main: 'aws-kms' })
  await world.createBuckets('used')
  const warm = await world.replica()
  expect(await world.put(warm, 'used', 'k')).toMatchObject({ status: 200 })
  of(world, 'aws-kms').kms.setState('alias/main', 'Disabled')
  expect(await warm.ready()).toMatchObject({ status: 200, dependencies: { 'keys/main': 'degraded' } })
  expect(await world.get(warm, 'used', 'k')).toMatchObject({ status: 200 })
  world.now += HOUR
  expect(await warm.ready()).toMatchObject({ status: 503, dependencies: { 'keys/main': 'failing' } })
  expect(await world.get(warm, 'used', 'k')).toMatchObject({ status: 400, code: 'KMS.DisabledException' })
})
