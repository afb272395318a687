/**
 * A Vault for tests that the real one has to pass too: the stand-in, or that of `SEALGATE_TEST_VAULT` (JSON with the fields of
 * `RealVault`; `npm run certify -- --client kms-vault` sets it).
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { VaultTransitKeyManager } from '../../src/keys/vault-transit.ts'
import { VaultClient } from '../../src/keys/vault-transit/client.ts'
import { VaultSession } from '../../src/keys/vault-transit/session.ts'
import { VaultServer } from './vault-server.ts'

interface RealVault {
  readonly address: string
  readonly caFile: string
  /** One that may do everything. */
  readonly token: string
  /** Vault's own program. */
  readonly bin: string
}

export interface VaultWorld {
  readonly address: string
  /** Runs a command line of Vault's own program. */
  readonly run: (command: string) => Promise<void>
  /** A manager that may do everything. */
  readonly open: (
    keyName: string,
    options?: { readonly alias?: string; readonly mount?: string },
  ) => VaultTransitKeyManager
  readonly close: () => Promise<void>
}

const { SEALGATE_TEST_VAULT } = process.env
const real = SEALGATE_TEST_VAULT === undefined ? undefined : (JSON.parse(SEALGATE_TEST_VAULT) as RealVault)

export async function openVaultWorld(): Promise<VaultWorld> {
  return real === undefined ? standIn() : certified(real)
}

async function standIn(): Promise<VaultWorld> {
  const server = new VaultServer()
  const address = await server.start()
  const token = server.createToken({ lease: 0 })
  return {
    address,
    run: async (command) => server.run(command),
    open: opener({ address, token }),
    close: () => server.stop(),
  }
}

async function certified({ address, token, caFile, bin }: RealVault): Promise<VaultWorld> {
  const env = { ...process.env, VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_CACERT: caFile }
  return {
    address,
    run: async (command) => {
      const [program, ...args] = command.split(' ')
      if (program !== 'vault') throw new Error(`${command} is no command of Vault`)
      await promisify(execFile)(bin, args, { env })
    },
    open: opener({ address, token, ca: await readFile(caFile, 'utf8') }),
    close: async () => undefined,
  }
}

function opener({ address, token, ca }: { address: string; token: string; ca?: string }): VaultWorld['open'] {
  return (keyName, { alias = 'main', mount = 'transit' } = {}) => {
    const client = new VaultClient({
      alias,
      address,
      timeout: 5_000,
      tls: async () => (ca === undefined ? {} : { ca }),
    })
    const session = new VaultSession({
      alias,
      client,
      auth: { kind: 'file', file: 'token', token: async () => token },
      now: Date.now,
      random: () => 0,
      after: () => () => undefined,
      onTrouble: () => undefined,
    })
    return new VaultTransitKeyManager({ alias, session, key: { mount, name: keyName } })
  }
}
