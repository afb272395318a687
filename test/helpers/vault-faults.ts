/** Rows of the table "Faults of key managers" of docs/operations.md: keys in Vault. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AWAY,
  BROKEN,
  changes,
  DISABLED,
  type Fault,
  MISSING,
  of,
  OK,
  REFUSED,
  SHORT,
  stranger,
  TLS,
} from './key-faults.ts'
import { MINUTE, type OutageWorld } from './outage-world.ts'
import { VaultServer } from './vault-server.ts'

const vault = (world: OutageWorld): VaultServer => of(world, 'vault-transit').vault

export const VAULT_FAULTS: readonly Fault[] = [
  {
    fault: 'another key than the one that wrapped',
    arrange: (world) => {
      vault(world).createKey('other')
      return { keyName: 'other' }
    },
    read: BROKEN,
    write: OK,
    why: 'transit decrypt failed (400)',
    outcome: 'integrity',
  },
  {
    fault: 'the version of the key is disabled',
    arrange: changes((world) => {
      vault(world).run('vault write transit/keys/main/rotate')
      vault(world).run('vault write transit/keys/main/config min_decryption_version=2')
    }),
    read: DISABLED,
    write: OK,
    why: 'the key version 1 is below min_decryption_version; allow it again',
    outcome: 'denied',
  },
  {
    fault: 'the key was deleted',
    arrange: changes((world) => vault(world).run('vault delete transit/keys/main')),
    start: 'there is no such key; make it: vault write transit/keys/main',
    read: MISSING,
    write: MISSING,
    why: 'there is no such key; make it: vault write transit/keys/main',
    outcome: 'denied',
  },
  {
    fault: '`transit/decrypt` is not allowed',
    arrange: changes((world) => vault(world).denied.push('transit/decrypt')),
    read: REFUSED,
    write: REFUSED,
    why: 'the token has ended, or lacks a permission of the policy in docs/keys.md',
    outcome: 'denied',
  },
  {
    fault: 'the token of a file has expired',
    arrange: (world) => {
      const tokenFile = join(of(world, 'vault-transit').folder, 'token')
      writeFileSync(tokenFile, vault(world).createToken({ lease: 60, renewable: false }))
      world.now += 2 * MINUTE
      return { login: { method: 'token', tokenFile } }
    },
    start: 'the token has ended, or lacks a permission of the policy in docs/keys.md',
    read: REFUSED,
    write: REFUSED,
    why: 'the token has ended, or lacks a permission of the policy in docs/keys.md',
    outcome: 'denied',
  },
  {
    fault: 'the password was changed',
    arrange: changes((world) => vault(world).allowLogin('auth/userpass/login/gateway', () => false)),
    start: 'login by userpass failed (400)',
    read: REFUSED,
    write: REFUSED,
    why: 'login by userpass failed (400)',
    outcome: 'denied',
  },
  {
    fault: 'Vault is sealed',
    arrange: changes((world) => {
      vault(world).sealed = true
    }),
    start: 'login by userpass failed (503): Vault is sealed',
    read: AWAY,
    write: AWAY,
    why: 'login by userpass failed (503): Vault is sealed',
    outcome: 'unavailable',
  },
  {
    fault: 'a certificate that nobody vouches for',
    arrange: async () => ({ address: await stranger(new VaultServer({ tls: TLS })) }),
    start: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
    read: AWAY,
    write: AWAY,
    why: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
    outcome: 'unavailable',
  },
  {
    fault: 'slow: no answer within `timeout`',
    arrange: (world) => {
      vault(world).fault = 'silence'
      return SHORT
    },
    start: 'no answer within 150 ms',
    read: AWAY,
    write: AWAY,
    why: 'no answer within 150 ms',
    outcome: 'unavailable',
  },
  {
    fault: 'garbage',
    arrange: changes((world) => {
      vault(world).fault = { body: '<html>key-1234</html>' }
      vault(world).faultAt = 'transit'
    }),
    start: 'something answers that is not Vault',
    read: AWAY,
    write: AWAY,
    why: 'something answers that is not Vault',
    outcome: 'unavailable',
  },
  {
    fault: "another key's plaintext",
    arrange: changes((world) => {
      vault(world).confused = true
    }),
    read: BROKEN,
    write: AWAY,
    why: 'unwrap failure: the wrapped key is not the key',
    outcome: 'ok',
  },
]
