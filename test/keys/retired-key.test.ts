/** A retired bucket key opens what was sealed under it and seals nothing new, wherever it was retired (docs/format.md, "Bucket keys and keyring"). */
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { createBucketKeys, type KeyAlarm } from '../../src/keys/bucket-keys.ts'
import type { BucketKeys } from '../../src/keys/key-manager.ts'
import { formatKeyringRecord, parseKeyringRecord } from '../../src/keys/keyring.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { FakeKeyring } from './fake-keyring.ts'

const NOW = 20_417 * 86_400_000

it('is not sealed under again when its keyring record says so while its slot does not', async () => {
  const manager = new MemoryKeyManager({ alias: 'main', random: randomBytes })
  const keyring = new FakeKeyring()
  const alarms: KeyAlarm[] = []
  const replica = (): BucketKeys =>
    createBucketKeys({
      managers: new Map([['main', manager]]),
      activeAlias: 'main',
      keyring,
      clock: () => NOW,
      onAlarm: (alarm) => alarms.push(alarm),
    })
  const first = await replica().active('a')
  const kid = first.kid.toString('hex')
  const record = parseKeyringRecord(keyring.records.get(kid) ?? '')
  keyring.records.set(kid, formatKeyringRecord({ ...record, status: 'retired' }))

  const later = replica()
  const fresh = await later.active('a')
  expect(fresh.kid).not.toEqual(first.kid)
  expect(keyring.records.has(fresh.kid.toString('hex'))).toBe(true)
  expect(alarms.map(({ kind }) => kind)).toEqual(['active-record'])
  await expect(later.open(first, 'a')).resolves.toMatchObject({ key: first.key })
})
