import { expect, it } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'

const load = (manager: object) =>
  loadSettings({
    env: { SEALGATE_KEYS_ACTIVE: 'cloud', SEALGATE_KEYS_MANAGERS: JSON.stringify({ cloud: manager }) },
    readFile: () => '',
  }).keys.managers.cloud

const AZURE = { type: 'azure-key-vault', vaultUrl: 'https://backups.vault.azure.net/', keyName: 'sealgate' }
const KEY = 'projects/backups-1/locations/europe-west3/keyRings/sealgate/cryptoKeys/main'
const GOOGLE = { type: 'gcp-kms', keyName: KEY }

it('a key in a cloud needs its name and, at Azure, its vault', () => {
  expect(load(AZURE)).toMatchObject({
    vaultUrl: 'https://backups.vault.azure.net',
    login: { method: 'default' },
    formerKeyNames: [],
    timeout: 5_000,
  })
  expect(load(GOOGLE)).toMatchObject({ keyName: KEY, formerKeyNames: [], timeout: 5_000 })
})

it.each([
  [AZURE, { vaultUrl: 'http://127.0.0.1:8443' }, 'the SDK sends no token over http'],
  [AZURE, { authorityHost: 'http://login.example.com' }, 'the SDK sends no token over http'],
  [AZURE, { keyName: 'sealgate/0123' }, 'letters, digits and -'],
  [
    AZURE,
    { login: { method: 'password' } },
    'default, managed-identity, workload-identity, client-secret or client-certificate',
  ],
  [AZURE, { login: { method: 'client-secret', tenantId: 't', clientId: 'c' } }, 'secretFile'],
  [GOOGLE, { keyName: `${KEY}/cryptoKeyVersions/1` }, 'projects/P/locations/L/keyRings/R/cryptoKeys/K'],
  [GOOGLE, { endpoint: 'http://kms.example.com' }, 'in the clear'],
])('%j with %j is refused', (whole, change, hint) => {
  expect(() => load({ ...whole, ...change })).toThrow(hint)
})
