import { randomBytes, scryptSync } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createMasterKeysFile,
  generateMasterKey,
  masterIdOf,
  parseMasterKeys,
  readMasterKeysFile,
} from '../../src/keys/master-keys.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const random = randomBytes

const key = Buffer.alloc(32, 7)
const id = masterIdOf(key).toString('hex')
const entry = { id, created: '2026-01-02T03:04:05Z', key: key.toString('base64url') }
const file = (change: object = {}): string => JSON.stringify({ version: 1, active: id, keys: [entry], ...change })

const SALT = Buffer.alloc(16, 9)
const COST = { N: 16_384, r: 8, p: 1 }
const derivedId = masterIdOf(scryptSync('open sesame!', SALT, 32, COST)).toString('hex')
const kdfEntry = {
  id: derivedId,
  created: entry.created,
  kdf: { name: 'scrypt', salt: SALT.toString('base64url'), ...COST },
}
const kdfFile = (change: object = {}): string => file({ active: derivedId, keys: [{ ...kdfEntry, ...change }] })

describe('parsing master keys', () => {
  it('reads keys and the active one', async () => {
    const parsed = await parseMasterKeys(file())
    expect(parsed.active).toEqual({ id: Buffer.from(id, 'hex'), key, created: entry.created })
    expect([...parsed.all.keys()]).toEqual([id])
  })

  it('gives every key memory of its own, outside the shared pool', async () => {
    const { active } = await parseMasterKeys(file())
    expect(active.key.buffer.byteLength).toBe(32)
  })

  it.each([
    ['another version', file({ version: 2 })],
    ['no keys', file({ keys: [] })],
    ['an unknown field', file({ extra: 1 })],
    ['an unknown field of a key', file({ keys: [{ ...entry, extra: 1 }] })],
    ['an active key that is not there', file({ active: '0011223344556677' })],
    ['a key twice', file({ keys: [entry, entry] })],
    [
      'an id that is not that of the key',
      file({ active: '0011223344556677', keys: [{ ...entry, id: '0011223344556677' }] }),
    ],
    ['an id in capitals', file({ active: id.toUpperCase(), keys: [{ ...entry, id: id.toUpperCase() }] })],
    ['a padded key', file({ keys: [{ ...entry, key: `${entry.key}=` }] })],
    ['a key that is too short', file({ keys: [{ ...entry, key: key.subarray(1).toString('base64url') }] })],
    ['neither key nor kdf', file({ keys: [{ id, created: entry.created }] })],
    ['both key and kdf', file({ keys: [{ ...entry, kdf: kdfEntry.kdf }] })],
    ['a time that is none', file({ keys: [{ ...entry, created: 'yesterday' }] })],
    ['text that is not JSON', file().slice(1)],
    ['nothing', ''],
  ])('refuses %s', async (_, text) => {
    await expect(parseMasterKeys(text)).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('never quotes a key in its complaint', async () => {
    const broken = [file().slice(0, -1), file({ keys: [{ ...entry, key: `${entry.key}!` }] }), `{"key":"${entry.key}"`]
    for (const text of broken) {
      const error: unknown = await parseMasterKeys(text).catch((caught: unknown) => caught)
      expect(String(error)).toContain('master keys')
      expect(String(error)).not.toContain(entry.key.slice(0, 10))
    }
  })

  it('derives a key from the passphrase with the parameters of the file', async () => {
    const { active } = await parseMasterKeys(kdfFile(), 'open sesame!')
    expect(active.key).toEqual(scryptSync('open sesame!', SALT, 32, COST))
  })

  it('tells a wrong passphrase and a missing one apart', async () => {
    await expect(parseMasterKeys(kdfFile(), 'open barley!')).rejects.toThrow('the passphrase is wrong')
    await expect(parseMasterKeys(kdfFile())).rejects.toThrow('none is configured')
  })

  it.each([
    ['a cost that is no power of two', { N: 16_385 }],
    ['a cost that protects nothing', { N: 1_024 }],
    ['a cost beyond 1 GiB', { N: 2 ** 24 }],
    ['another function', { name: 'pbkdf2' }],
    ['a short salt', { salt: 'AAAA' }],
  ])('refuses %s', async (_, change) => {
    const text = kdfFile({ kdf: { ...kdfEntry.kdf, ...change } })
    await expect(parseMasterKeys(text, 'open sesame!')).rejects.toMatchObject({ kind: 'invalid' })
  })
})

describe('the master keys file', () => {
  let folder: string
  let path: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealgate-keys-'))
    path = join(folder, 'master-keys.json')
  })

  afterEach(() => {
    chmodSync(folder, 0o700)
    rmSync(folder, { recursive: true, force: true })
  })

  it('is created with one key, readable by its owner alone, and nothing is left beside it', async () => {
    await createMasterKeysFile(path, { random, now: NOW })
    const { active, all } = await readMasterKeysFile(path)
    expect(all.size).toBe(1)
    expect(active.created).toBe('2026-01-02T03:04:05.000Z')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['master-keys.json'])
  })

  it('is never overwritten', async () => {
    writeFileSync(path, 'precious')
    await expect(createMasterKeysFile(path, { random, now: NOW })).rejects.toMatchObject({ kind: 'invalid' })
    expect(readFileSync(path, 'utf8')).toBe('precious')
    expect(readdirSync(folder)).toEqual(['master-keys.json'])
  })

  it('is made once when several processes start at the same time', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => createMasterKeysFile(path, { random, now: NOW })),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect((await readMasterKeysFile(path)).all.size).toBe(1)
  })

  it('says that it is missing, and that a folder is', async () => {
    await expect(readMasterKeysFile(path)).rejects.toMatchObject({ kind: 'invalid' })
    const nowhere = join(folder, 'nowhere', 'keys.json')
    await expect(createMasterKeysFile(nowhere, { random, now: NOW })).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('is unavailable where it cannot be read', async () => {
    mkdirSync(path)
    await expect(readMasterKeysFile(path)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('holds no key, only scrypt parameters, where there is a passphrase', async () => {
    await createMasterKeysFile(path, { random, now: NOW, passphrase: 'correct horse battery' })
    const { active } = await readMasterKeysFile(path, 'correct horse battery')
    const text = readFileSync(path, 'utf8')
    expect(text).not.toContain(active.key.toString('base64url'))
    expect(JSON.parse(text)).toMatchObject({ keys: [{ kdf: { name: 'scrypt', N: 131_072, r: 8, p: 1 } }] })
    await expect(readMasterKeysFile(path, 'correct horse')).rejects.toThrow('the passphrase is wrong')
  })

  it('gains a key that is not used until it is activated', async () => {
    await createMasterKeysFile(path, { random, now: NOW })
    const first = (await readMasterKeysFile(path)).active.id.toString('hex')
    const second = await generateMasterKey(path, { random, now: NOW })
    const waiting = await readMasterKeysFile(path)
    expect(waiting.active.id.toString('hex')).toBe(first)
    expect([...waiting.all.keys()]).toEqual([first, second])
    const third = await generateMasterKey(path, { random, now: NOW, activate: true })
    expect((await readMasterKeysFile(path)).active.id.toString('hex')).toBe(third)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['master-keys.json'])
  })

  it('is not extended by two commands at once', async () => {
    await createMasterKeysFile(path, { random, now: NOW })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, () => generateMasterKey(path, { random, now: NOW })),
    )
    const added = outcomes.filter(({ status }) => status === 'fulfilled').length
    expect(added).toBeGreaterThan(0)
    expect((await readMasterKeysFile(path)).all.size).toBe(1 + added)
  })

  it('is not extended while it is damaged', async () => {
    writeFileSync(path, file({ keys: [{ ...entry, key: randomBytes(32).toString('base64url') }] }))
    const before = readFileSync(path, 'utf8')
    await expect(generateMasterKey(path, { random, now: NOW })).rejects.toThrow('damaged')
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(readdirSync(folder)).toEqual(['master-keys.json'])
  })
})
