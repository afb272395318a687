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

interface Place {
  readonly address: string
  readonly token: string
  readonly ca?: string
}

export interface TransitOptions {
  readonly alias?: string
  readonly mount?: string
  readonly namespace?: string
  readonly timeout?: number
}

export interface VaultWorld {
  readonly address: string
  /** Runs a command line of Vault's own program. */
  readonly run: (command: string) => Promise<void>
  /** A manager that may do everything. */
  readonly open: (keyName: string, options?: TransitOptions) => VaultTransitKeyManager
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
    open: (keyName, options) => openTransit({ address, token }, keyName, options),
    close: () => server.stop(),
  }
}

async function certified({ address, token, caFile, bin }: RealVault): Promise<VaultWorld> {
  const env = { ...process.env, VAULT_ADDR: address, VAULT_TOKEN: token, VAULT_CACERT: caFile }
  const place = { address, token, ca: await readFile(caFile, 'utf8') }
  return {
    address,
    run: async (command) => {
      const [program, ...args] = command.split(' ')
      if (program !== 'vault') throw new Error(`${command} is no command of Vault`)
      await promisify(execFile)(bin, args, { env })
    },
    open: (keyName, options) => openTransit(place, keyName, options),
    close: async () => undefined,
  }
}

/** A manager whose token is that of a place. */
export function openTransit(
  { address, token, ca }: Place,
  name: string,
  { alias = 'main', mount = 'transit', namespace, timeout = 5_000 }: TransitOptions = {},
): VaultTransitKeyManager {
  const tls = async () => (ca === undefined ? {} : { ca })
  const session = new VaultSession({
    alias,
    client: new VaultClient({ alias, address, namespace, timeout, tls }),
    auth: { kind: 'file', file: 'token', token: async () => token },
    now: Date.now,
    random: () => 0,
    after: () => () => undefined,
    onTrouble: () => undefined,
  })
  return new VaultTransitKeyManager({ alias, session, key: { mount, name, namespace } })
}
