/** The guides of docs/migration, followed to the letter over the embedded store; the key managers elsewhere are stand-ins. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Workplace } from '../helpers/command.ts'
import { Guide, type GuideWorld } from '../helpers/guide.ts'
import { KmsServer } from '../helpers/kms-server.ts'
import { minted } from '../helpers/outputs.ts'
import { VaultServer } from '../helpers/vault-server.ts'

const PASSPHRASE = minted('the passphrase of migrations', 'a passphrase of many words')

let place: Workplace
let guide: Guide | undefined
const servers: { readonly stop: () => Promise<void> }[] = []

beforeEach(() => enter('2s'))

/** Where a guide is followed, with as much time for the end of a rotation. */
function enter(dualRead: string): void {
  const env = {
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: minted('the secret access key of migrations', 'migration-kms-secret-0123456789'),
    // What the guides say to wait for.
    SEALGATE_KEYS_ROTATION_POLL: '200ms',
    SEALGATE_KEYS_ROTATION_DUAL_READ: dualRead,
    SEALGATE_SERVER_WORKERS: '1',
  }
  place = new Workplace(env)
  writeFileSync(place.path('passphrase'), `${PASSPHRASE}\n`)
}

afterEach(async () => {
  await guide?.stop().catch(() => undefined)
  guide = undefined
  for (const server of servers.splice(0)) await server.stop()
  place.remove()
})

/** The KMS of a region, and what stands for it in settings. */
async function openKms(region: string): Promise<{ readonly kms: KmsServer; readonly names: GuideWorld['names'] }> {
  const kms = new KmsServer({ region })
  const endpoint = await kms.start()
  servers.push(kms)
  return { kms, names: { [`region: ${region} }`]: `region: ${region}, endpoint: "${endpoint}" }` } }
}

/** aws-cli, as far as the guides use it. A key comes to be with its alias, which the stand-in knows it by. */
function awsCli(regions: Readonly<Record<string, KmsServer>>): NonNullable<GuideWorld['programs']> {
  const keys = new Map<KmsServer, string>()
  const aws = (words: readonly string[], line: string): void => {
    const option = (name: string): string => words[words.indexOf(name) + 1] ?? ''
    const kms = regions[option('--region')]
    if (kms === undefined) throw new Error(`no KMS for ${line}`)
    const key = keys.get(kms) ?? ''
    if (words[1] === 'create-alias') keys.set(kms, kms.createKey(option('--alias-name')))
    else if (words[1] === 'disable-key') kms.setState(key, 'Disabled')
    else if (words[1] === 'schedule-key-deletion') kms.setState(key, 'PendingDeletion')
    else if (words[1] !== 'create-key') throw new Error(`aws-cli does not know ${line}`)
  }
  return { aws }
}

const passphraseFile = (): GuideWorld['names'] => ({ '/run/secrets/sealgate-passphrase': place.path('passphrase') })

/** The end of each: without the old manager all opens, and what is written goes on. */
async function servesAlone(followed: Guide): Promise<void> {
  await followed.restart()
  await followed.write('afterwards')
  await followed.readAll()
  // Those of the beginning, and one at each step.
  expect(followed.written.size).toBeGreaterThan(15)
  await followed.stop()
}

/** As a guide finds it: with keys of its own. */
function withKey(region: Readonly<Record<string, KmsServer>>, name: string): NonNullable<GuideWorld['programs']> {
  const programs = awsCli(region)
  const words = ['kms', 'create-alias', '--region', 'eu-central-1', '--alias-name', name]
  programs['aws']?.(words, words.join(' '))
  return programs
}

describe('the migration guides', { timeout: 300_000 }, () => {
  test('from a passphrase to a KMS, and the passphrase is gone', async () => {
    const { kms, names } = await openKms('eu-central-1')
    const programs = awsCli({ 'eu-central-1': kms })
    guide = new Guide('passphrase-to-kms.md', place, { names: { ...names, ...passphraseFile() }, programs })
    await guide.follow()
    expect(['passphrase', 'sealgate-data/master-keys.json'].map((name) => existsSync(place.path(name)))).toEqual([
      false,
      false,
    ])
    await servesAlone(guide)
  })

  test('from AWS KMS to Vault, and the key of KMS is gone', async () => {
    const { kms, names } = await openKms('eu-central-1')
    const vault = new VaultServer()
    const address = await vault.start()
    servers.push(vault)
    vault.allowLogin(
      'auth/approle/login',
      ({ role_id, secret_id }) => role_id === 'sealgate-gateway' && secret_id === 'right',
    )
    writeFileSync(place.path('secret-id'), 'right')
    const secretId = { '/run/secrets/vault-secret-id': place.path('secret-id') }
    guide = new Guide('kms-to-vault.md', place, {
      names: { ...names, ...secretId, 'https://vault.example.com:8200': address },
      programs: {
        ...withKey({ 'eu-central-1': kms }, 'alias/sealgate'),
        vault: (_, line) => vault.run(line),
      },
    })
    await guide.follow()
    const before = kms.calls.length
    await kms.stop()
    servers.splice(servers.indexOf(kms), 1)
    await servesAlone(guide)
    expect(kms.calls).toHaveLength(before)
  })

  test("from one region's KMS key to another's, and the first region is gone", async () => {
    const eu = await openKms('eu-central-1')
    const us = await openKms('us-east-1')
    const programs = withKey({ 'eu-central-1': eu.kms, 'us-east-1': us.kms }, 'alias/sealgate')
    guide = new Guide('kms-to-another-region.md', place, { names: { ...eu.names, ...us.names }, programs })
    await guide.follow()
    await eu.kms.stop()
    servers.splice(servers.indexOf(eu.kms), 1)
    await servesAlone(guide)
  })

  test('and back, until an object and a passphrase are enough', async () => {
    // A rotation has to be given up before it ends.
    place.remove()
    enter('12s')
    const { kms, names } = await openKms('eu-central-1')
    const programs = withKey({ 'eu-central-1': kms }, 'alias/sealgate')
    guide = new Guide('README.md', place, { names: { ...names, ...passphraseFile() }, programs })
    await guide.follow()
    await guide.stop()
    for (const [i, key] of ['monday.tar', 'empty', 'in/parts'].entries()) {
      expect(await place.run(['inspect', `s3://backups/${key}`, '--export', `raw-${i}`])).toMatchObject({ code: 0 })
    }
    await kms.stop()
    servers.splice(servers.indexOf(kms), 1)
    const keys = ['--master-keys', 'sealgate-data/master-keys.json', '--passphrase-file', 'passphrase']
    for (const [i, key] of ['monday.tar', 'empty', 'in/parts'].entries()) {
      expect(await place.run(['decrypt', `raw-${i}`, ...keys, '-o', `plain-${i}`])).toMatchObject({ code: 0 })
      expect(readFileSync(place.path(`plain-${i}`)).equals(guide.written.get(key) ?? Buffer.from('none'))).toBe(true)
    }
  })

  test('away from Sealgate, and every object is a plain file', async () => {
    guide = new Guide('away.md', place, { names: passphraseFile() })
    await guide.follow()
    expect(guide.written.size).toBeGreaterThan(3)
    for (const [key, body] of guide.written) {
      expect(readFileSync(place.path(`plain/backups/objects/${key}`)).equals(body)).toBe(true)
    }
    expect(readFileSync(place.path('monday.tar'), 'utf8')).toBe('contents of monday.tar')
  })
})
