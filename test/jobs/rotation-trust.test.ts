/** What somebody can do who writes the state store as he likes, perhaps with the master key of a manager that was rotated out because it leaked. */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sealStateRecord } from '../../src/format/state-record.ts'
import { EMPTY } from '../../src/jobs/rotation/machine.ts'
import type { Rotation, RotationDocument } from '../../src/state/rotation-record.ts'
import { RotationStore } from '../../src/state/rotation-store.ts'
import { alarm, type AlarmEvent } from '../../src/telemetry/channels.ts'
import { type Process, RotationWorld, SECOND, TIMES } from './rotation-world.ts'

const PATH = 'rotation/current'

let world: RotationWorld
let alarms: AlarmEvent[]
let unsubscribe: () => void
beforeEach(async () => {
  world = await RotationWorld.make()
  alarms = []
  unsubscribe = alarm.subscribe((event) => alarms.push(event))
})
afterEach(() => {
  unsubscribe()
  world.close()
})

async function rotate(to: string, ...gateways: Process[]): Promise<void> {
  const driver = gateways[0]!
  await driver.rotations.start({ to, by: 'the test' })
  for (let round = 0; round < 4; round += 1) {
    for (const { participant } of gateways) await participant.beat()
    await driver.rotations.step()
  }
  world.now += TIMES.dualRead
  await driver.rotations.step()
  for (const { participant } of gateways) await participant.beat()
  expect((await driver.rotations.current())?.phase).toBe('done')
}

const sealsBy = async (...gateways: Process[]): Promise<string[]> =>
  Promise.all(gateways.map(async ({ keys }) => (await keys.active(randomBytes(4).toString('hex'))).alias))
const whys = (): string => alarms.map(({ detail }) => String(detail['why'])).join('\n')

/** A document as somebody makes it who has the keys of these managers. */
async function forge(document: Partial<RotationDocument>, ...managers: string[]): Promise<void> {
  const { managers: all } = world.process()
  const store = new RotationStore({ state: world.state, managers: all, clock: () => world.now, random: randomBytes })
  const guards = await store.guardsOf(managers)
  const found = await world.state.get(PATH)
  expect(await store.write({ ...EMPTY, sequence: world.now + TIMES.drain, ...document }, guards, found?.etag)).toBe(
    true,
  )
}

const rotation = (from: string, to: string, phase: Rotation['phase']): Rotation => ({
  id: 'forged',
  from,
  to,
  witness: null,
  phase,
  by: 'nobody',
  started: 0,
  drainDeadline: 0,
  cutOver: null,
  dualReadDeadline: null,
  ended: null,
  version: null,
  forced: false,
  stalled: null,
  retryAt: null,
  lease: null,
  progress: { total: 0, examined: 0, rewrapped: 0, failed: 0, damaged: 0, cursor: '', since: null },
  before: {},
})

describe('a record that is put back', () => {
  test('of an earlier phase is not followed by a process that has seen a later one', async () => {
    const gateway = await world.gateway()
    await gateway.rotations.start({ to: 'new', by: 'x' })
    await gateway.participant.beat()
    await gateway.rotations.abort({ by: 'x' })
    const early = await world.record()
    await gateway.rotations.resume({ by: 'x' })
    await gateway.participant.beat()
    await gateway.rotations.step()
    await gateway.participant.beat()
    await world.state.put(PATH, early!)
    world.now += SECOND
    await gateway.participant.beat()
    expect(await sealsBy(gateway)).toEqual(['new'])
    expect(whys()).toContain('older than one that was in effect')
    await expect(gateway.rotations.current()).rejects.toThrow('not to be trusted')
  })

  test('and one that is taken away, changes nothing for those who know it', async () => {
    const gateway = await world.gateway()
    await rotate('new', gateway)
    await world.state.delete(PATH)
    await gateway.participant.beat()
    expect(await sealsBy(gateway)).toEqual(['new'])
    expect(whys()).toContain('it is gone')
  })

  test('of an earlier rotation does not bring an old manager back once the settings say that it is retired', async () => {
    const before = await world.gateway({ active: 'new' })
    await rotate('old', before)
    const first = await world.record()
    await before.participant.leave()
    // Much later it goes the other way, because the old one has leaked.
    const gateway = await world.gateway({ active: 'old' })
    await rotate('new', gateway)
    world.close()
    await world.state.put(PATH, first!)
    const fresh = await world.gateway({ active: 'new', retired: ['old'] })
    expect(await sealsBy(fresh)).toEqual(['new'])
    expect(whys()).toContain('retired')
  })
})

describe('a record that is forged', () => {
  test.each([
    [
      'by nobody who has a key',
      async () => void (await world.state.put(PATH, Buffer.from('{"version":1,"seals":["AAAA"]}'))),
    ],
    ['as no record at all', async () => void (await world.state.put(PATH, Buffer.from('nonsense')))],
    [
      'with the leaked key of the manager that it leads to',
      () => forge({ moves: { new: 'old' }, rotation: rotation('new', 'old', 'done') }, 'old'),
    ],
    [
      'with that key in both places',
      () => forge({ moves: { new: 'old' }, rotation: rotation('old', 'old', 'rewrapping') }, 'old'),
    ],
    [
      'with keys of managers that it is not about',
      () => forge({ moves: { new: 'old' }, rotation: rotation('new', 'old', 'done') }, 'old', 'third'),
    ],
    ['without a rotation', () => forge({ moves: { new: 'old' } }, 'old')],
  ])('%s is not followed', async (_, forgery: () => Promise<void>) => {
    const gateway = await world.gateway({ active: 'new' })
    await forgery()
    await gateway.participant.beat()
    const fresh = await world.gateway({ active: 'new' })
    expect(await sealsBy(gateway, fresh)).toEqual(['new', 'new'])
    expect(alarms.map(({ what }) => what)).toContain('the record of rotations is not followed')
  })

  test('with the leaked key does not undo the rotation that left it', async () => {
    const gateway = await world.gateway()
    await rotate('new', gateway)
    await forge({ rotation: rotation('old', 'new', 'aborted') }, 'old')
    await gateway.participant.beat()
    expect(await sealsBy(gateway)).toEqual(['new'])
    expect(whys()).toContain('not sealed by "new"')
    await expect(gateway.rotations.start({ to: 'third', by: 'x' })).rejects.toThrow('not to be trusted')
  })

  test('with the leaked key of a manager of buckets does not undo the rotation that left it', async () => {
    const gateway = await world.gateway({ active: 'new', buckets: ['old'] })
    await gateway.rotations.start({ from: 'old', to: 'third', by: 'x' })
    await gateway.participant.beat()
    await forge({ rotation: { ...rotation('old', 'third', 'aborted'), witness: 'new' } }, 'old')
    await gateway.participant.beat()
    expect((await gateway.keys.active('a', 'old')).alias).toBe('third')
    expect(whys()).toContain('not sealed by "new"')
  })

  test('from two seals that say different things is not followed', async () => {
    const gateway = await world.gateway()
    await gateway.rotations.start({ to: 'new', by: 'x' })
    const { managers } = world.process()
    const store = new RotationStore({ state: world.state, managers, clock: () => world.now, random: randomBytes })
    const found = await store.read()
    const seals = found!.guards.map((guard, at) =>
      sealStateRecord(guard, PATH, { ...found!.document, epoch: at }, randomBytes).toString('base64url'),
    )
    await world.state.put(PATH, Buffer.from(JSON.stringify({ version: 1, seals })))
    await gateway.participant.beat()
    expect(await sealsBy(gateway)).toEqual(['old'])
    expect(whys()).toContain('could not be read')
  })

  test('leaves a gateway without a manager of the rotation where it is, and holds the rotation up', async () => {
    const [gateway, without] = [await world.gateway(), await world.gateway({ managers: ['old'] })]
    await gateway.rotations.start({ to: 'new', by: 'x' })
    for (const one of [gateway, without, gateway]) {
      await one.participant.beat()
      await gateway.rotations.step()
    }
    expect((await gateway.rotations.current())?.phase).toBe('draining')
    expect(await sealsBy(gateway, without)).toEqual(['new', 'old'])
    expect(whys()).toContain('cannot seal by "new"')
  })
})

describe('a manager that is retired', () => {
  test('is sealed under by nobody, until that is taken back', async () => {
    const gateway = await world.gateway()
    await gateway.rotations.retire('third')
    await gateway.participant.beat()
    await expect(gateway.keys.active('a', 'third')).rejects.toMatchObject({ kind: 'denied' })
    await expect(gateway.rotations.start({ to: 'third', by: 'x' })).rejects.toThrow('was retired')
    expect(await gateway.rotations.succession()).toEqual({ retired: ['third'], sealsBy: 'old' })
    await gateway.rotations.retire('third', { undo: true })
    await gateway.participant.beat()
    await expect(gateway.keys.active('a', 'third')).resolves.toMatchObject({ alias: 'third' })
  })

  test('is not the one that wraps new keys, nor one of a rotation under way', async () => {
    const gateway = await world.gateway()
    await expect(gateway.rotations.retire('old')).rejects.toThrow('wraps new bucket keys')
    await gateway.rotations.start({ to: 'new', by: 'x' })
    await expect(gateway.rotations.retire('old')).rejects.toThrow('under way')
  })

  test('is none that settings of another gateway seal by, nor one that is not there', async () => {
    const [gateway, other] = [await world.gateway(), await world.gateway({ buckets: ['third'] })]
    await expect(gateway.rotations.retire('third')).rejects.toThrow('settings of a gateway')
    await expect(gateway.rotations.retire('thrid')).rejects.toThrow('no key manager "thrid"')
    await other.participant.leave()
    await gateway.rotations.retire('third')
    expect((await gateway.rotations.succession()).retired).toEqual(['third'])
  })

  test('by the settings is sealed under by nobody either', async () => {
    const gateway = await world.gateway({ retired: ['new'] })
    expect(() => gateway.participant.sealsFor('new')).toThrow('was retired')
    await expect(gateway.rotations.start({ to: 'new', by: 'x' })).rejects.toThrow('retired')
  })

  test('after a rotation may leave the settings, and what was decided stays', async () => {
    const gateway = await world.gateway()
    await rotate('new', gateway)
    await gateway.rotations.retire('old')
    await gateway.participant.beat()
    expect(await sealsBy(gateway)).toEqual(['new'])
    const later = await world.gateway({ active: 'new', managers: ['new', 'third'] })
    expect(await later.rotations.succession()).toEqual({ retired: ['old'], sealsBy: 'new' })
    await gateway.participant.leave()
    await rotate('third', later)
    expect(await sealsBy(later)).toEqual(['third'])
  })
})
