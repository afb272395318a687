/** What goes wrong with key managers: start-up message, S3 answers, log line and metric, as the table "Faults of key managers" of docs/operations.md says. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { AWS_FAULTS } from '../helpers/aws-kms-faults.ts'
import { CLIENT, TENANT } from '../helpers/azure-server.ts'
import { AZURE_FAULTS, GCP_FAULTS } from '../helpers/cloud-faults.ts'
import { type Fault, of, stopStrangers } from '../helpers/key-faults.ts'
import { KMIP_FAULTS } from '../helpers/kmip-faults.ts'
import { MINUTE, OutageWorld } from '../helpers/outage-world.ts'
import { PKCS11_FAULTS } from '../helpers/pkcs11-faults.ts'
import { type ProviderName, SECRETS } from '../helpers/remote-providers.ts'
import { VAULT_FAULTS } from '../helpers/vault-faults.ts'

afterAll(stopStrangers)

const FAULTS: Readonly<Record<ProviderName, readonly Fault[]>> = {
  'aws-kms': AWS_FAULTS,
  'vault-transit': VAULT_FAULTS,
  pkcs11: PKCS11_FAULTS,
  kmip: KMIP_FAULTS,
  'azure-key-vault': AZURE_FAULTS,
  'gcp-kms': GCP_FAULTS,
}

const DOCUMENT = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8')
const cell = (text: string | undefined): string => (text === undefined ? '' : `“${text}”`)
const rowOf = (name: string, { fault, start, read, write, why, outcome }: Fault): string =>
  `| ${name} | ${fault} | ${cell(start)} | ${read} | ${write} | ${why === start ? 'the same' : cell(why)} | ${outcome} |`

/** Of the providers and of the settings: none of it belongs anywhere. */
const HIDDEN = [
  ...Object.values(SECRETS),
  '1357-pin',
  'hvs.',
  'arn:aws',
  'secret-',
  'key-1234',
  'kmip-password',
  CLIENT,
  TENANT,
]

let world: OutageWorld | undefined
afterEach(() => world?.close())

describe.each(Object.entries(FAULTS))('%s', (name, faults) => {
  it.each(faults)('$fault', async (row) => {
    const managers: Record<string, object> = {}
    const here = await OutageWorld.open({ main: name as ProviderName }, { managers })
    world = here
    await here.createBuckets('used', 'new')
    expect(await here.put(await here.replica(), 'used', 'k', 'content')).toMatchObject({ status: 200 })
    managers['main'] = { ...here.provider().settings, ...(await row.arrange(here)) }

    const late = await here.replica()
    await late.look()
    const [start] = here.lines('a key manager cannot be used')
    expect(JSON.stringify(start?.['why'] ?? [])).toContain(row.start ?? '')
    expect(start === undefined).toBe(row.start === undefined)

    const read = await here.get(late, 'used', 'k')
    expect(shown(read)).toBe(row.read)
    expect(String(here.lines('request refused')[0]?.['why'])).toContain(row.why)
    const calls = `sealgate_key_calls_total{manager="main",call="unwrap",outcome="${row.outcome}"}`
    expect(await here.metric(calls)).toBeGreaterThan(0)
    expect(shown(await here.put(late, 'new', 'k'))).toBe(row.write)

    const all = JSON.stringify([here.log, read])
    for (const text of HIDDEN) expect(all).not.toContain(text)
    expect(DOCUMENT.includes(rowOf(name, row)), rowOf(name, row)).toBe(true)
  })
})

const shown = ({ status, code }: { readonly status: number; readonly code: string }): string =>
  code === '' ? String(status) : `${status} \`${code}\``

it('a lease that was revoked while a gateway runs is noticed by nobody: it logs in anew', async () => {
  const here = await OutageWorld.open({ main: 'vault-transit' }, { keys: { cache: { lifetime: '1m' } } })
  world = here
  await here.createBuckets('used', 'new')
  const running = await here.replica()
  expect(await here.put(running, 'used', 'k')).toMatchObject({ status: 200 })
  of(here, 'vault-transit').vault.revokeTokens()
  here.now += 5 * MINUTE
  expect(await here.get(running, 'used', 'k')).toMatchObject({ status: 200 })
  expect(await here.put(running, 'new', 'k')).toMatchObject({ status: 200 })
  expect(here.log.filter(({ level }) => level === 'error')).toEqual([])
})

it('a provider that opens something else is counted, and its key is not used', async () => {
  const here = await OutageWorld.open({ main: 'aws-kms' })
  world = here
  await here.createBuckets('used')
  await here.put(await here.replica(), 'used', 'k')
  of(here, 'aws-kms').kms.confused = true
  expect(await here.get(await here.replica(), 'used', 'k')).toMatchObject({ status: 500 })
  expect(await here.metric('sealgate_key_cache_total{event="rejected"}')).toBe(1)
})
