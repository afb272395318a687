/** Rotation of master keys over several gateways, one of which may die at any moment (docs/format.md, "Rotation"). */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Unavailable } from '../../src/errors.ts'
import { newMaster } from '../helpers/master-keys.ts'
import { DAY, type Process, RotationWorld, SECOND, TIMES } from './rotation-world.ts'

let world: RotationWorld
beforeEach(async () => {
  world = await RotationWorld.make()
})
afterEach(() => world.close())

const MOVE = { to: 'new', by: 'the test' }
const phase = async ({ rotations }: Process): Promise<string | undefined> => (await rotations.current())?.phase

/** Lets gateways look and drivers work until nothing more happens. */
async function settle(gateways: readonly Process[], drivers: readonly Process[]): Promise<void> {
  for (let rounds = 0; rounds < 20; rounds += 1) {
    await Promise.all(gateways.map(({ participant }) => participant.beat()))
    const steps = await Promise.all(drivers.map(({ rotations }) => rotations.step()))
    await Promise.all(gateways.map(({ participant }) => participant.beat()))
    if (!steps.includes('advanced')) return
  }
}

describe('a rotation to another manager', () => {
  test('goes through its phases, and everything opens at every moment', async () => {
    const gateways = [await world.gateway(), await world.gateway()] as const
    const [first, second] = gateways
    await world.seal(...gateways)
    const started = await first.rotations.start(MOVE)
    expect(started).toMatchObject({ from: 'old', to: 'new', phase: 'draining', by: 'the test' })

    await first.participant.beat()
    expect(await first.rotations.step()).toBe('waiting')
    expect((await world.seal(first)).map(({ alias }) => alias)).toEqual(['new', 'new', 'new'])
    expect((await world.seal(second)).map(({ alias }) => alias)).toEqual(['old', 'old', 'old'])
    await world.openAll(...gateways)

    await second.participant.beat()
    expect(await first.rotations.step()).toBe('advanced')
    expect(await phase(second)).toBe('rewrapping')
    expect(new Set((await world.seal(...gateways)).map(({ alias }) => alias))).toEqual(new Set(['new']))
    await world.openAll(...gateways)

    expect(await second.rotations.step()).toBe('advanced')
    expect(await first.rotations.current()).toMatchObject({ phase: 'dual-read', total: 6, examined: 6, rewrapped: 3 })
    expect(await world.wrappedBy()).toEqual({ new: 6 })
    await world.openAll(...gateways)
    expect(await first.rotations.step()).toBe('waiting')

    world.now += TIMES.dualRead
    expect(await first.rotations.step()).toBe('advanced')
    expect(await phase(first)).toBe('done')
    await Promise.all(gateways.map(({ participant }) => participant.beat()))
    await world.openAll(...gateways, await world.gateway(), await world.gateway({ active: 'new', managers: ['new'] }))
    expect(await first.rotations.history()).toMatchObject([{ id: started.id, phase: 'done' }])
    expect((await world.state.list('keyring/active/')).records.filter(({ path }) => path.includes('/old/'))).toEqual([])
    expect((await world.state.list('rotation/acks/')).records).toEqual([])
  })

  test('afterwards nothing is made under the old manager, by gateways with old settings too, also when they begin anew and on other days', async () => {
    const gateway = await world.gateway()
    await world.seal(gateway)
    await gateway.rotations.start(MOVE)
    await settle([gateway], [gateway])
    for (const later of [0, DAY, 40 * DAY]) {
      world.now += later
      const fresh = await world.gateway()
      await settle([gateway, fresh], [gateway])
      const made = await Promise.all(
        [gateway, fresh].flatMap(({ keys }) => [
          keys.active('a'),
          keys.active('b', 'old'),
          keys.active(`day ${later}`),
        ]),
      )
      expect(made.map(({ alias }) => alias)).toEqual(made.map(() => 'new'))
    }
    expect(Object.keys(await world.wrappedBy())).toEqual(['new'])
  })

  test('once done, an object whose key is not in the keyring is refused with an alarm, and opens while the window is open again', async () => {
    const gateway = await world.gateway()
    const [lost] = await world.seal(gateway)
    await gateway.rotations.start(MOVE)
    await world.state.delete(`keyring/k/${lost!.kid.toString('hex')}`)
    await settle([gateway], [gateway])
    const fresh = await world.gateway()
    await expect(fresh.keys.open(lost!, 'a')).resolves.toMatchObject({ key: lost!.key })
    world.now += TIMES.dualRead
    await settle([gateway, fresh], [gateway])
    await expect(fresh.keys.open(lost!, 'a')).rejects.toMatchObject({ kind: 'denied' })
    expect(fresh.alarms.at(-1)).toMatchObject({ kind: 'former-manager', namespace: 'a' })
    expect(String(fresh.alarms.at(-1)?.cause)).toContain('sealgate keys rotate --resume')

    await gateway.rotations.resume({ by: 'the test' })
    await settle([gateway, fresh], [gateway])
    await expect(fresh.keys.open(lost!, 'a')).resolves.toMatchObject({ key: lost!.key })
  })

  test('waits for a gateway that is there, and at the deadline asks for help', async () => {
    const [driver, silent] = [await world.gateway(), await world.gateway()]
    await driver.rotations.start(MOVE)
    const waits = async (): Promise<void> => {
      // It lives, but has not looked: what it says of itself goes on.
      await world.state.put(`replicas/${'ab'.repeat(8)}`, Buffer.from(JSON.stringify({ at: world.now, managers: [] })))
      await driver.participant.beat()
      await driver.rotations.step()
    }
    for (let waited = 0; waited < TIMES.drain; waited += 30 * SECOND) {
      await waits()
      expect(await phase(driver)).toBe('draining')
      world.now += 30 * SECOND
    }
    await waits()
    expect(await driver.rotations.current()).toMatchObject({
      phase: 'draining',
      stalled: expect.stringContaining('have not left "old"') as string,
    })
    await driver.rotations.resume({ by: 'the test', force: true })
    await driver.rotations.step()
    expect(await phase(driver)).toBe('rewrapping')
    silent.kill()
  })

  test('does not wait for one that died, once it has been silent', async () => {
    const [driver, dead] = [await world.gateway(), await world.gateway()]
    dead.kill()
    await world.state.put(`replicas/${'cd'.repeat(8)}`, Buffer.from('{"at":0,"managers":[]}'))
    await driver.rotations.start(MOVE)
    await settle([driver], [driver])
    expect(await phase(driver)).toBe('draining')
    world.now += 61 * SECOND
    await settle([driver], [driver])
    expect(await phase(driver)).toBe('dual-read')
  })

  test('waits for one that is to look more rarely than the driver does', async () => {
    const [driver, rare] = [await world.gateway({ poll: 100 }), await world.gateway({ poll: 60 * SECOND })]
    await world.seal(rare)
    await driver.rotations.start(MOVE)
    for (let rounds = 0; rounds < 5; rounds += 1) {
      world.now += 10 * SECOND
      await settle([driver], [driver])
      expect(await phase(driver)).toBe('draining')
    }
    await rare.participant.beat()
    await settle([driver], [driver])
    expect(await phase(driver)).toBe('dual-read')
  })

  test('a gateway that slept through the cut-over looks before it seals', async () => {
    const [driver, sleeper] = [await world.gateway(), await world.gateway()]
    await world.seal(sleeper)
    await driver.rotations.start(MOVE)
    world.now += 61 * SECOND
    await driver.participant.beat()
    await driver.rotations.step()
    world.now += 61 * SECOND
    await driver.participant.beat()
    await driver.rotations.step()
    expect(await phase(driver)).toBe('rewrapping')
    expect(new Set((await world.seal(sleeper)).map(({ alias }) => alias))).toEqual(new Set(['new']))
  })

  test.each([
    ['both managers', ['old', 'new'], new Array<string>()],
    ['the manager of its settings', ['old'], []],
    ['the state store', [], ['rotation/current']],
  ])(
    'a gateway that begins while %s does not answer, seals under no manager that was left',
    async (_, away, hidden) => {
      const driver = await world.gateway()
      await driver.rotations.start(MOVE)
      await settle([driver], [driver])
      world.now += TIMES.dualRead
      await settle([driver], [driver])
      const fresh = world.process({ hidden })
      const managers = away.map((alias) => fresh.managers.get(alias)!)
      const calls = managers.map((manager) => manager.unwrap)
      for (const manager of managers) manager.unwrap = () => Promise.reject(new Unavailable('away'))
      await fresh.participant.join()
      managers.forEach((manager, i) => (manager.unwrap = calls[i]!))
      hidden.length = 0
      await expect(fresh.keys.active('a')).rejects.toMatchObject({ kind: 'unavailable' })
      if (away.length > 0) expect((await fresh.keys.active('a', 'third')).alias).toBe('third')
      world.now += TIMES.poll
      await fresh.participant.beat()
      expect((await fresh.keys.active('a')).alias).toBe('new')
    },
  )

  test('is answered only after keys that were on the way have been recorded', async () => {
    const gateway = await world.gateway()
    const old = gateway.managers.get('old')!
    let go = (): void => undefined
    const held = new Promise<void>((resolve) => (go = resolve))
    const generate = old.generate.bind(old)
    old.generate = async (context) => {
      await held
      return generate(context)
    }
    const making = gateway.keys.active('slow')
    await world.process().rotations.start(MOVE)
    const beat = gateway.participant.beat()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await world.state.list('rotation/acks/')).records).toEqual([])
    go()
    await beat
    expect((await making).alias).toBe('old')
    expect((await world.state.list('rotation/acks/')).records).toHaveLength(1)
    expect(await world.keyring.find((await making).kid)).toBeDefined()
  })

  test('does not begin to a manager that cannot wrap, while one is under way, or from one that was left', async () => {
    const gateway = await world.gateway()
    gateway.managers.get('third')!.generate = () => Promise.reject(new Unavailable('away'))
    await expect(gateway.rotations.start({ to: 'third', by: 'x' })).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(gateway.rotations.start({ to: 'nobody', by: 'x' })).rejects.toMatchObject({ kind: 'invalid' })
    expect(await world.record()).toBeUndefined()
    await gateway.rotations.start(MOVE)
    await expect(gateway.rotations.start(MOVE)).rejects.toThrow('under way')
    await settle([gateway], [gateway])
    world.now += TIMES.dualRead
    await settle([gateway], [gateway])
    await expect(gateway.rotations.start({ from: 'old', to: 'third', by: 'x' })).rejects.toThrow('rotated out')
  })

  test('does not begin while settings of a gateway have not followed the one before', async () => {
    const [ahead, behind] = [await world.gateway({ active: 'new' }), await world.gateway()]
    await behind.rotations.start(MOVE)
    await settle([ahead, behind], [behind])
    world.now += TIMES.dualRead
    await settle([ahead, behind], [behind])
    expect(await phase(ahead)).toBe('done')
    await expect(ahead.rotations.start({ to: 'third', by: 'x' })).rejects.toThrow('still name "old"')
    await behind.participant.leave()
    await expect(ahead.rotations.start({ to: 'third', by: 'x' })).resolves.toMatchObject({ from: 'new', to: 'third' })
    await settle([ahead], [ahead])
    expect((await ahead.keys.active('a')).alias).toBe('third')
  })

  test.each([
    ['named by a bucket, after a new version of the active one', ['third'], { by: 'x' }],
    ['named by nothing but requests, after a key was retired', [], undefined],
  ])('of a manager %s, is followed too, and the one after it', async (_, buckets, before) => {
    const gateway = await world.gateway({ buckets })
    if (before === undefined) await gateway.rotations.refresh()
    else await gateway.rotations.start(before)
    await settle([gateway], [gateway])
    await gateway.rotations.start({ from: 'third', to: 'new', by: 'x' })
    await settle([gateway], [gateway])
    expect(await phase(gateway)).toBe('dual-read')
    expect((await gateway.keys.active('a', 'third')).alias).toBe('new')
    expect((await gateway.keys.active('a')).alias).toBe('old')
    world.now += TIMES.dualRead
    await settle([gateway], [gateway])
    await gateway.participant.leave()
    const later = await world.gateway()
    await later.rotations.start({ by: 'x' })
    await settle([later], [later])
    expect(await later.rotations.current()).toMatchObject({ from: 'old', phase: 'done' })
  })

  test('is not ended by a driver at the last look, once somebody has opened the window again', async () => {
    const [gateway, straggler] = [await world.gateway(), await world.gateway({ managers: ['old'] })]
    await gateway.rotations.start(MOVE)
    await gateway.rotations.resume({ by: 'x', force: true })
    await settle([gateway], [gateway])
    await world.seal(straggler)
    world.now += TIMES.dualRead
    const target = gateway.managers.get('new')!
    const wrap = target.wrap.bind(target)
    let resumed: Promise<unknown> | undefined
    target.wrap = async (key, context) => {
      await (resumed ??= world.process().rotations.resume({ by: 'x' }))
      return wrap(key, context)
    }
    expect(await gateway.rotations.step()).toBe('waiting')
    expect(resumed).toBeDefined()
    expect(await phase(gateway)).toBe('dual-read')
    expect(await world.wrappedBy()).toEqual({ new: 3 })
    world.now += TIMES.dualRead
    await settle([gateway], [gateway])
    expect(await phase(gateway)).toBe('done')
  })

  test('keys that cannot be wrapped anew hold it up, are tried again, and can be passed over', async () => {
    const gateway = await world.gateway()
    await world.seal(gateway)
    await gateway.rotations.start(MOVE)
    const target = gateway.managers.get('new')!
    const wrap = target.wrap.bind(target)
    target.wrap = (key, context) =>
      context.namespace === 'b' ? Promise.reject(new Unavailable('away')) : wrap(key, context)
    await settle([gateway], [gateway])
    expect(await gateway.rotations.current()).toMatchObject({
      phase: 'rewrapping',
      failed: 1,
      rewrapped: 2,
      stalled: '1 bucket keys could not be wrapped anew',
    })
    await world.openAll(gateway)
    expect(await gateway.rotations.step()).toBe('waiting')
    await gateway.rotations.resume({ by: 'x', force: true })
    await settle([gateway], [gateway])
    // The end needs a word of its own: what failed would not open any more.
    world.now += TIMES.dualRead
    await settle([gateway], [gateway])
    expect(await gateway.rotations.current()).toMatchObject({ phase: 'dual-read', failed: 1 })
    target.wrap = wrap
    world.now += 61 * SECOND
    await settle([gateway], [gateway])
    expect(await phase(gateway)).toBe('done')
    await world.openAll(gateway, await world.gateway({ active: 'new', managers: ['new'] }))
  })
})

describe('a new version of the same master key', () => {
  const renewed = (): void => void world.files['old']!.unshift(newMaster())

  test('is taken up by every gateway, wraps the whole keyring, and goes into new objects', async () => {
    const gateways = [await world.gateway(), await world.gateway()] as const
    const [first, second] = gateways
    const before = await world.seal(...gateways)
    renewed()
    await first.rotations.start({ by: 'the test' })
    await first.participant.beat()
    // Between two looks one gateway has the new master key and the other has not been told.
    await world.seal(first)
    await world.openAll(second)
    await settle(gateways, [second])
    expect(await first.rotations.current()).toMatchObject({ from: 'old', to: 'old', phase: 'done', rewrapped: 3 })
    const after = await world.seal(...gateways)
    expect(after.map(({ kid }) => kid.toString('hex'))).toEqual(before.map(({ kid }) => kid.toString('hex')))
    world.files['old']!.splice(1)
    const alone = await world.gateway()
    await world.openAll(alone)
    // The form inside new objects is the new one: it opens without a keyring.
    for (const key of after) {
      await expect(alone.managers.get('old')!.unwrap(key.wrapped, key)).resolves.toEqual(key.key)
    }
  })

  test('waits for a gateway that has been given another active master key', async () => {
    const gateway = await world.gateway()
    const other = await world.gateway()
    renewed()
    await gateway.rotations.start({ by: 'x' })
    world.files['old']!.reverse()
    await settle([other], [gateway])
    expect(await phase(gateway)).toBe('draining')
    world.files['old']!.reverse()
    await settle([gateway, other], [gateway])
    expect(await phase(gateway)).toBe('done')
  })
})

describe('an abort', () => {
  test.each(['draining', 'rewrapping', 'dual-read'])(
    'while %s lets the old manager seal again, and loses nothing',
    async (at) => {
      const gateways = [await world.gateway(), await world.gateway()] as const
      const [first] = gateways
      await world.seal(...gateways)
      await first.rotations.start(MOVE)
      for (;;) {
        await world.seal(...gateways)
        if ((await phase(first)) === at) break
        await Promise.all(gateways.map(({ participant }) => participant.beat()))
        await first.rotations.step()
      }
      await Promise.all(gateways.map(({ participant }) => participant.beat()))
      await world.seal(...gateways)
      expect(await first.rotations.abort({ by: 'x' })).toMatchObject({ phase: 'aborted' })
      await settle(gateways, gateways)
      const fresh = await world.gateway()
      expect(new Set((await world.seal(...gateways, fresh)).map(({ alias }) => alias))).toEqual(new Set(['old']))
      await world.openAll(...gateways, fresh)

      await first.rotations.resume({ by: 'x' })
      await settle([...gateways, fresh], [fresh])
      expect(await phase(first)).toBe('dual-read')
      expect(new Set((await world.seal(...gateways, fresh)).map(({ alias }) => alias))).toEqual(new Set(['new']))
      await world.openAll(...gateways, fresh)
      expect(await world.wrappedBy()).toEqual({ new: expect.any(Number) as number })
    },
  )

  test('while draining needs the old manager alone: the new one may be what is wrong', async () => {
    const gateway = await world.gateway()
    await gateway.rotations.start(MOVE)
    await gateway.participant.beat()
    const command = world.process()
    for (const manager of [gateway.managers.get('new')!, command.managers.get('new')!]) {
      const away = (): Promise<never> => Promise.reject(new Unavailable('away'))
      Object.assign(manager, { generate: away, wrap: away, unwrap: away })
    }
    await expect(gateway.keys.active('a')).rejects.toMatchObject({ kind: 'unavailable' })
    expect(await command.rotations.abort({ by: 'x' })).toMatchObject({ phase: 'aborted' })
    await gateway.participant.beat()
    expect((await gateway.keys.active('a')).alias).toBe('old')
  })

  test('where none is under way is refused', async () => {
    const gateway = await world.gateway()
    await expect(gateway.rotations.abort({ by: 'x' })).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('whoever dies, and whenever', () => {
  /** A whole rotation whose driver dies after so many calls of the store; returns whether it did. */
  const driverDies = async (calls: number): Promise<boolean> => {
    const gateway = await world.gateway()
    await world.seal(gateway)
    await gateway.rotations.start(MOVE)
    await gateway.participant.beat()
    const driver = world.process({ calls })
    let died = false
    const drive = async (): Promise<void> => {
      while ((await driver.rotations.step()) === 'advanced') await gateway.participant.beat()
    }
    await drive().catch(() => (died = true))
    if (!died) {
      world.now += TIMES.dualRead
      await drive().catch(() => (died = true))
    }
    await world.openAll(gateway, await world.gateway())
    world.now += 31 * SECOND
    await settle([gateway], [gateway])
    world.now += TIMES.dualRead + 31 * SECOND
    await settle([gateway], [gateway])
    await settle([gateway], [gateway])
    expect(await phase(gateway)).toBe('done')
    expect(await world.wrappedBy()).toEqual({ new: 3 })
    await world.openAll(gateway, await world.gateway(), await world.gateway({ active: 'new', managers: ['new'] }))
    return died
  }

  test('another finishes what a driver began, killed before any of its calls', async () => {
    let steps = 0
    for (; ; steps += 1) {
      world.close()
      world = await RotationWorld.make()
      if (!(await driverDies(steps))) break
    }
    expect(steps).toBeGreaterThan(40)
  }, 60_000)

  test('a gateway killed before any of its calls keeps nobody, and what it sealed opens', async () => {
    let steps = 0
    for (let died = true; died; steps += 1) {
      world.close()
      world = await RotationWorld.make()
      const [victim, driver] = [world.process({ calls: steps }), await world.gateway()]
      died = false
      const live = async (): Promise<void> => {
        await victim.participant.join()
        await world.seal(victim)
        await driver.rotations.start(MOVE)
        for (let round = 0; round < 3; round += 1) {
          await victim.participant.beat()
          await driver.participant.beat()
          await driver.rotations.step()
          await world.seal(victim)
        }
      }
      await live().catch(() => (died = true))
      died ||= victim.calls() > steps
      await driver.rotations.start(MOVE).catch(() => undefined)
      world.now += 31 * SECOND
      await settle([driver], [driver])
      world.now += 61 * SECOND
      await settle([driver], [driver])
      world.now += TIMES.dualRead
      await settle([driver], [driver])
      expect([steps, await phase(driver)]).toEqual([steps, 'done'])
      await world.openAll(driver, await world.gateway({ active: 'new', managers: ['new'] }))
    }
    expect(steps).toBeGreaterThan(10)
  }, 60_000)

  test('two drivers at once do as one', async () => {
    const gateways = [await world.gateway(), await world.gateway(), await world.gateway()]
    await world.seal(...gateways)
    await gateways[0]!.rotations.start(MOVE)
    await settle(gateways, gateways)
    expect(await phase(gateways[1]!)).toBe('dual-read')
    world.now += TIMES.dualRead
    await settle(gateways, gateways)
    expect(await phase(gateways[2]!)).toBe('done')
    await world.openAll(...gateways, await world.gateway({ active: 'new', managers: ['new'] }))
  })

  test('two that begin at once begin one rotation', async () => {
    const [a, b] = [await world.gateway(), await world.gateway()]
    const begun = await Promise.allSettled([a.rotations.start(MOVE), b.rotations.start({ to: 'third', by: 'b' })])
    expect(begun.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await settle([a, b], [a, b])
    expect(new Set((await world.seal(a, b)).map(({ alias }) => alias)).size).toBe(1)
  })
})
