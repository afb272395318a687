/** The rotation of a master key, and a move to another key manager, step by step as docs/keys.md tells them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Workplace } from '../helpers/command.ts'
import { done, jsonLines } from '../helpers/command-output.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

const BUCKETS = ['one', 'two']

/** A gateway that has taken an object in each bucket, and is stopped again. */
async function filled(): Promise<void> {
  const gateway = await place.serve()
  writeFileSync(place.path('body'), 'contents')
  for (const bucket of BUCKETS) {
    await done(place.run(['put', 'body', `s3://${bucket}/k`, '--create-bucket', '--endpoint', gateway.endpoint]))
  }
  await gateway.stop()
}

/** What a gateway with these settings still reads. */
async function readable(): Promise<string[]> {
  const gateway = await place.serve()
  try {
    const read = BUCKETS.map(async (bucket) => {
      const { code, stdout } = await place.run(['get', `s3://${bucket}/k`, '-', '--endpoint', gateway.endpoint])
      return code === 0 ? stdout : 'refused'
    })
    return await Promise.all(read)
  } finally {
    await gateway.stop()
  }
}

const masterKeys = (): string => place.path('sealgate-data/master-keys.json')

describe('sealgate keys', () => {
  test('rotates a master key without touching an object: made, wrapped by, and the old one taken away', async () => {
    await filled()
    await done(place.run(['keys', 'generate', '--activate']))
    expect(jsonLines(await done(place.run(['keys', 'rewrap', '--dry-run', '--json']))).at(-1)).toMatchObject({
      rewrapped: 2,
      dryRun: true,
    })
    expect(await done(place.run(['keys', 'rewrap']))).toBe('2 of 2 bucket keys wrapped anew\n')
    const file = JSON.parse(readFileSync(masterKeys(), 'utf8')) as { active: string; keys: { id: string }[] }
    expect(file.keys).toHaveLength(2)
    writeFileSync(masterKeys(), JSON.stringify({ ...file, keys: file.keys.filter(({ id }) => id === file.active) }))
    expect(await readable()).toEqual(['contents', 'contents'])
  })

  test('without it the old master key is needed', async () => {
    await filled()
    await done(place.run(['keys', 'generate', '--activate']))
    const file = JSON.parse(readFileSync(masterKeys(), 'utf8')) as { active: string; keys: { id: string }[] }
    writeFileSync(masterKeys(), JSON.stringify({ ...file, keys: file.keys.filter(({ id }) => id === file.active) }))
    expect(await readable()).toEqual(['refused', 'refused'])
  })

  test('moves every key from one manager to another, which then reads alone', async () => {
    await filled()
    const settings = (active: string, ...aliases: string[]): void => {
      const file = (alias: string): string =>
        alias === 'local' ? 'sealgate-data/master-keys.json' : place.path(`${alias}.json`)
      const managers = Object.fromEntries(aliases.map((alias) => [alias, { type: 'local', file: file(alias) }]))
      writeFileSync(place.path('sealgate.yaml'), JSON.stringify({ keys: { active, managers } }))
    }
    // A second file of master keys, as another installation would have made it.
    const other = new Workplace()
    await (await other.serve()).stop()
    writeFileSync(place.path('vault.json'), readFileSync(other.path('sealgate-data/master-keys.json')), { mode: 0o600 })
    other.remove()

    settings('vault', 'vault', 'local')
    expect(jsonLines(await done(place.run(['keys', 'status', '--json'])))).toMatchObject([
      { manager: 'local', configured: true, active: 2 },
      { manager: 'vault', configured: true, active: 0 },
    ])
    expect(await done(place.run(['keys', 'rewrap', '--from', 'local', '--to', 'vault']))).toBe(
      '2 of 2 bucket keys wrapped anew\n',
    )
    settings('vault', 'vault')
    expect(jsonLines(await done(place.run(['keys', 'status', '--json'])))).toMatchObject([
      { manager: 'vault', active: 2 },
    ])
    expect(await readable()).toEqual(['contents', 'contents'])
  })

  test('tells of keys whose manager is not in the settings, and does not wrap them', async () => {
    await filled()
    writeFileSync(
      place.path('sealgate.yaml'),
      'keys: { active: other, managers: { other: { type: local, file: other.json } } }',
    )
    writeFileSync(place.path('other.json'), readFileSync(masterKeys()), { mode: 0o600 })
    expect(await done(place.run(['keys', 'status']))).toContain('local                  2 keys')
    const { code, stderr, stdout } = await place.run(['keys', 'rewrap', '--to', 'other'])
    expect([code, stdout]).toEqual([1, expect.stringContaining('2 failed')])
    expect(stderr).toContain('there is no key manager "local" in the settings')
  })

  test('exports the keyring into a file of its own, once', async () => {
    await filled()
    await done(place.run(['keys', 'export', '--out', 'keyring.json']))
    const records = JSON.parse(readFileSync(place.path('keyring.json'), 'utf8')) as { namespace: string }[]
    expect(records.map(({ namespace }) => namespace).sort()).toEqual(BUCKETS)
    expect((await place.run(['keys', 'export', '--out', 'keyring.json'])).code).toBe(2)
  })
})
