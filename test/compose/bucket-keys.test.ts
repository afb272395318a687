import { expect, test } from 'vitest'
import { openBucketKeys } from '../../src/compose/bucket-keys.ts'
import { loadSettings } from '../../src/config/load.ts'
import { CountingManager } from '../keys/counting-manager.ts'
import { FakeKeyring } from '../keys/fake-keyring.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

test('a bucket that is written and read all day takes ten calls of the key manager, with the settings as they are', async () => {
  const settings = loadSettings({ env: {}, readFile: () => '' })
  const manager = new CountingManager('local')
  let now = 20_417 * DAY
  const { keys, endKeys } = openBucketKeys(settings, {
    managers: new Map([['local', manager]]),
    keyring: new FakeKeyring(),
    clock: () => now,
  })
  try {
    for (const end = now + DAY; now < end; now += MINUTE) {
      const { namespace, ...wrapped } = await keys.active('backups')
      await keys.open(wrapped, namespace)
    }
    expect(manager.generated).toBe(1)
    expect(manager.generated + manager.unwrapped).toBeLessThanOrEqual(10)
    expect(manager.unwrapped, 'and is looked at again').toBeGreaterThan(1)
  } finally {
    endKeys()
  }
})
