/** Rotation as an operator does it, with a gateway of two processes that serves meanwhile. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMasterKeysFile } from '../../src/keys/master-keys.ts'
import { type Ran, type Started, Workplace } from '../helpers/command.ts'
import { minted } from '../helpers/outputs.ts'
import { done, jsonLines } from '../helpers/command-output.ts'

let place: Workplace
let gateway: Started | undefined
beforeEach(async () => {
  place = new Workplace({ SEALGATE_SERVER_WORKERS: '2' })
  mkdirSync(place.path('sealgate-data'))
  for (const alias of ['local', 'other']) {
    await createMasterKeysFile(place.path(masterKeys(alias)), { random: randomBytes, now: Date.now() })
  }
  writeFileSync(place.path('body'), 'contents')
})
afterEach(async () => {
  await gateway?.stop()
  gateway = undefined
  place.remove()
})

const masterKeys = (alias: string): string => (alias === 'local' ? 'sealgate-data/master-keys.json' : `${alias}.json`)

function settings(active: string, ...aliases: string[]): void {
  managed(active, Object.fromEntries(aliases.map((alias) => [alias, { type: 'local', file: masterKeys(alias) }])))
}

function managed(active: string, managers: object): void {
  const rotation = { poll: '200ms', dualRead: '20s' }
  const allow = [{ buckets: ['*'], actions: 'read-write' }]
  const credentials = [{ accessKey: 'SGTEST', secretKey: 'test-secret-0123', allow }]
  writeFileSync(place.path('sealgate.yaml'), JSON.stringify({ credentials, keys: { active, managers, rotation } }))
}

const keys = (...args: string[]): Promise<Ran> => place.run(['keys', ...args])
const put = (name: string): Promise<string> =>
  done(place.run(['put', 'body', `s3://one/${name}`, '--create-bucket', '--endpoint', gateway?.endpoint ?? '']))
const get = (name: string): Promise<string> =>
  done(place.run(['get', `s3://one/${name}`, '-', '--endpoint', gateway?.endpoint ?? '']))

async function until(phase: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const rows = jsonLines(await done(keys('status', '--json')))
    if ((rows.at(-1)?.['rotation'] as { phase?: string } | undefined)?.phase === phase) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error(`the rotation is not ${phase}`)
}

describe('sealgate keys rotate', { timeout: 120_000 }, () => {
  test('moves a gateway that serves to another manager, and the old one can go', async () => {
    settings('local', 'local', 'other')
    gateway = await place.serve()
    await put('before')

    const told = jsonLines(await done(keys('rotate', '--to', 'other', '--json')))
    expect(told[0]).toMatchObject({ from: 'local', to: 'other', phase: 'draining' })
    expect(told.at(-1)).toMatchObject({ phase: 'dual-read', failed: 0 })
    await put('after')
    expect([await get('before'), await get('after')]).toEqual(['contents', 'contents'])
    expect((await keys('retire', 'local')).stderr).toMatch(/under way|still needed/)

    await until('done')
    const list = jsonLines(await done(keys('list', '--json')))
    expect(list).toMatchObject([
      { manager: 'local', provider: 'local', use: 'opens only', keys: 0, healthy: true },
      { manager: 'other', use: 'wraps new keys', healthy: true },
    ])
    expect(await done(keys('retire', 'local', '--scan'))).toContain('2 objects looked at: 0 with a key that is not')
    expect(await done(keys('status'))).toContain('retired: may leave the settings')
    await gateway.stop()
    settings('other', 'other')
    gateway = await place.serve()
    expect([await get('before'), await get('after')]).toEqual(['contents', 'contents'])
    await put('later')
  })

  test('takes up a new master key of the same manager, without a restart', async () => {
    settings('local', 'local')
    gateway = await place.serve()
    await put('before')
    const told = jsonLines(await done(keys('rotate', '--generate', '--json')))
    expect(told.at(-1)).toMatchObject({ from: 'local', to: 'local', phase: 'done', rewrapped: 1 })
    await put('after')
    await gateway.stop()
    const file = JSON.parse(readFileSync(place.path(masterKeys('local')), 'utf8')) as {
      active: string
      keys: { id: string }[]
    }
    expect(file.keys).toHaveLength(2)
    const alone = { ...file, keys: file.keys.filter(({ id }) => id === file.active) }
    writeFileSync(place.path(masterKeys('local')), JSON.stringify(alone))
    gateway = await place.serve()
    expect([await get('before'), await get('after')]).toEqual(['contents', 'contents'])
  })

  test('makes a master key as those of its file are made: from the passphrase in another file', async () => {
    const passphrase = minted('the passphrase of a rotation', 'a passphrase of a rotation')
    writeFileSync(place.path('passphrase'), passphrase)
    await createMasterKeysFile(place.path('derived.json'), { random: randomBytes, now: Date.now(), passphrase })
    managed('derived', { derived: { type: 'local', file: 'derived.json', passphraseFile: 'passphrase' } })
    gateway = await place.serve()
    await put('before')
    await done(keys('rotate', '--generate'))
    await put('after')
    await gateway.stop()
    const file = JSON.parse(readFileSync(place.path('derived.json'), 'utf8')) as { active: string; keys: object[] }
    expect(file.keys).toEqual([
      expect.not.objectContaining({ key: expect.anything() }),
      { id: file.active, created: expect.anything(), kdf: expect.anything() },
    ])
    gateway = await place.serve()
    expect([await get('before'), await get('after')]).toEqual(['contents', 'contents'])
  })

  test('gives up and says so, where a gateway lacks the manager', async () => {
    settings('local', 'local')
    gateway = await place.serve()
    settings('local', 'local', 'other')
    await done(keys('rotate', '--to', 'other', '--no-wait'))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(await done(keys('status'))).toContain('draining')
    expect(gateway.stderr()).toContain('the record of rotations is not followed')
    expect(await done(keys('rotate', '--abort'))).toContain('aborted')
    await put('after')
    expect(await get('after')).toBe('contents')
  })

  test.each([
    [['rotate', '--abort', '--to', 'other'], 'stands alone'],
    [['rotate', '--resume', '--to', 'other'], 'takes the rotation that is there'],
    [['retire'], 'name a key manager'],
    [['retire', '--kid', 'short'], '32 hex digits'],
    [['rotate', '--to', 'nobody'], 'there is no key manager "nobody"'],
  ])('refuses %j', async (args, message) => {
    settings('local', 'local')
    const { code, stderr } = await keys(...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })
})

describe('sealgate keys retire', { timeout: 120_000 }, () => {
  test('of one bucket key makes gateways seal under another at once', async () => {
    settings('local', 'local')
    gateway = await place.serve()
    await put('before')
    const [first] = jsonLines(await done(keys('list', '--keys', '--json')))
    await done(keys('retire', '--kid', String(first?.['kid'])))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await put('after')
    const all = jsonLines(await done(keys('list', '--keys', '--json')))
    expect(all.filter(({ status }) => status === 'retired')).toHaveLength(1)
    expect(all.filter(({ status }) => status === 'active').length).toBeGreaterThan(0)
    expect([await get('before'), await get('after')]).toEqual(['contents', 'contents'])
  })

  test('of a manager is refused while something needs it, and says what', async () => {
    settings('local', 'local', 'other')
    gateway = await place.serve()
    await put('before')
    await gateway.stop()
    gateway = undefined
    settings('other', 'local', 'other')
    const { code, stderr } = await keys('retire', 'local')
    expect([code, stderr]).toEqual([2, expect.stringContaining('still needed by 1 bucket keys, 1 keys in use')])
  })
})
