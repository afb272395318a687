/** Which key opens an object offline: the keyring's where it fits, else the one inside the envelope. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { openBucketKeys, parseKeyring } from '../../src/cli/offline-keys.ts'
import { kidOf } from '../../src/format/derive.ts'
import { parseEnvelope, sealEnvelope } from '../../src/format/envelope.ts'
import { formatKeyringRecord, type KeyringRecord } from '../../src/keys/keyring.ts'
import { LocalKeyManager } from '../../src/keys/local.ts'
import { type MasterKeys, masterIdOf } from '../../src/keys/master-keys.ts'
import { takeSecret } from '../../src/secret-bytes.ts'

const random = (bytes: number): Buffer => randomBytes(bytes)
const context = { namespace: 'files', day: 20_000 }

function newMaster(): MasterKeys {
  const key = takeSecret(random(32))
  const active = { id: masterIdOf(key), key, created: '2026-01-01T00:00:00.000Z' }
  return { active, all: new Map([[active.id.toString('hex'), active]]) }
}

const managerOf = (masterKeys: MasterKeys): LocalKeyManager =>
  new LocalKeyManager({ alias: 'local', masterKeys, random })

/** An object sealed under the old master key, and its bucket key wrapped again under another. */
async function rotated(inline: boolean) {
  const [old, young] = [newMaster(), newMaster()]
  const { key, wrapped } = await managerOf(old).generate(context)
  const bucketKey = { tag: 'l', alias: 'local', day: context.day, kid: kidOf(key), wrapped, key } as const
  const flags = { tailFirst: false, sizeInMetadata: true, areaUsed: false, md5NotKept: false }
  const input = { bucketKey, objectKey: random(32), namespace: 'files', key: 'a', flags, inline, random }
  const record: KeyringRecord = {
    ...bucketKey,
    wrapped: await managerOf(young).wrap(key, context),
    namespace: 'files',
    created: 0,
    status: 'active',
  }
  return { old, young, key, record, envelope: parseEnvelope(sealEnvelope(input)) }
}

test('after a rotation the new master key opens through the keyring, in either of its forms', async () => {
  const { young, key, record, envelope } = await rotated(true)
  await expect(openBucketKeys(young, [])(envelope, 'files')).rejects.toMatchObject({ layer: 'unwrap failure' })
  const other = formatKeyringRecord({ ...record, kid: random(16) })
  const line = formatKeyringRecord(record)
  for (const text of [`[${other},\n${line}]`, `${other}\n${line}\n`]) {
    const keyring = parseKeyring('keyring', text)
    expect((await openBucketKeys(young, keyring)(envelope, 'files')).equals(key)).toBe(true)
  }
})

test('a forged record does not keep the key inside the envelope from opening', async () => {
  const { old, key, record, envelope } = await rotated(true)
  const { wrapped } = await managerOf(old).generate(context)
  for (const forged of [
    { ...record, wrapped },
    { ...record, wrapped: random(80) },
  ])
    expect((await openBucketKeys(old, [forged])(envelope, 'files')).equals(key)).toBe(true)
})

test('an envelope without a key needs the keyring, and says so', async () => {
  const { old, young, key, record, envelope } = await rotated(false)
  await expect(openBucketKeys(old, [])(envelope, 'files')).rejects.toThrow('--keyring')
  expect((await openBucketKeys(young, [record])(envelope, 'files')).equals(key)).toBe(true)
  const forged = { ...record, wrapped: random(80) }
  await expect(openBucketKeys(young, [forged])(envelope, 'files')).rejects.toMatchObject({ layer: 'unwrap failure' })
})

test('what is no keyring is refused with the place', () => {
  expect(() => parseKeyring('k.json', '[1')).toThrow('k.json')
  expect(() => parseKeyring('k.json', '[{}]')).toThrow('record 1')
  expect(() => parseKeyring('k.json', '{"kid":1}')).toThrow('record 1')
})
