/** A record of the state store that is larger than any we write is damage, and it does not stop us from sealing. */
import { randomBytes } from 'node:crypto'
import { beforeEach, expect, it } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { createBucketKeys, type KeyAlarm } from '../../src/keys/bucket-keys.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { MAX_RECORD_BYTES, StateStore } from '../../src/state/state-store.ts'

const SLOT = 'keyring/active/a/main/20417'

/** Says that one object is larger than any record. */
class Oversizing extends MemoryStore {
  override async get(...args: Parameters<MemoryStore['get']>): ReturnType<MemoryStore['get']> {
    const found = await super.get(...args)
    return args[1] === SLOT ? { ...found, info: { ...found.info, size: MAX_RECORD_BYTES + 1 } } : found
  }
}

let store: StateStore

beforeEach(async () => {
  store = new StateStore(new Oversizing(), 'state')
  await store.ensureBucket()
  await store.put(SLOT, Buffer.from('x'))
})

it('is passed over with an alarm in the place of the active key', async () => {
  const alarms: KeyAlarm[] = []
  const keys = createBucketKeys({
    managers: new Map([['main', new MemoryKeyManager({ alias: 'main', random: randomBytes })]]),
    activeAlias: 'main',
    keyring: new StateKeyring(store),
    clock: () => 20_417 * 86_400_000,
    onAlarm: (alarm) => alarms.push(alarm),
  })
  const key = await keys.active('a')
  expect(alarms.map(({ kind }) => kind)).toEqual(['active-record'])
  await expect(keys.open(key, 'a')).resolves.toMatchObject({ kid: key.kid })
})
