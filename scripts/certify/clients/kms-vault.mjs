/** Not a client but a key manager: gateways whose master key is in a real Vault, which is sealed, started anew and stopped under them. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startGateway } from '../gateway.mjs'
import { assertNone, OWN_GATEWAYS, runContract } from '../key-managers.mjs'
import { outage, QUICK, SETTINGS, Traffic } from '../key-traffic.mjs'
import { assert, sleep } from '../shell.mjs'
import { documentedPolicy, installVault, makeToken, prepareLogins, startVault } from '../vault.mjs'

export const kmsVault = {
  name: 'kms-vault',
  label: 'Key manager: Vault Transit',
  notes:
    'Vault from its Go module, over TLS; login by AppRole, token, userpass, JWT and client certificate under the policy of docs/keys.md.',
  ...OWN_GATEWAYS,
  install: installVault,
  run,
}

async function run(cx, { bin }) {
  const folder = mkdtempSync(join(cx.cache, 'kms-vault-'))
  const vault = await startVault(folder, bin)
  let gateway
  try {
    const managers = await prepareLogins(vault, folder)
    const { address, caFile, token } = vault
    runContract(cx, folder, 'test/keys/vault-versions.test.ts', {
      SEALGATE_TEST_VAULT: JSON.stringify({ address, caFile, token, bin }),
    })
    for (const settings of Object.values(managers)) Object.assign(settings, QUICK)
    const env = { ...SETTINGS, SEALGATE_KEYS_MANAGERS: JSON.stringify(managers), SEALGATE_KEYS_ACTIVE: 'approle' }
    gateway = await startGateway(cx.cache, cx.store, { env })
    const traffic = new Traffic(gateway)
    await endToEnd(cx, vault, traffic, Object.keys(managers))
    await refusals(cx, vault, traffic, managers)
    await cx.check('no secret in the log of the gateway', () => searchLog(gateway, vault, folder))
  } finally {
    // Kept by the cell if a check failed.
    for (const { log } of [gateway ?? {}, vault]) if (log !== undefined) appendFileSync(cx.gateway.log, readFileSync(log))
    await gateway?.stop()
    await vault.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Vault's tokens and ciphertexts by how they begin, the other secrets by what they are. */
function searchLog({ log }, { token }, folder) {
  const files = ['secret-id', 'password', 'jwt', 'token'].map((name) => readFileSync(join(folder, name), 'utf8').trim())
  assertNone(['hvs.', 'vault:v', token, ...files], readFileSync(log, 'utf8'))
}

async function endToEnd({ check }, vault, traffic, managers) {
  for (const manager of managers) {
    await check(`login by ${manager}: put and get`, async () => traffic.read(await traffic.write(manager)))
  }
  await check('tokens are renewed and replaced over their greatest age', async () => {
    await sleep(25_000)
    return traffic.readAll()
  })
  await check('tokens that are revoked are replaced, and no request notices', async () => {
    for (const way of ['approle', 'userpass', 'jwt', 'cert']) await vault.api('PUT', `sys/leases/revoke-prefix/auth/${way}`)
    await sleep(1_200)
    const text = await traffic.readAll()
    for (const manager of managers) await traffic.write(manager)
    return text
  })
  await outage({ check }, traffic, managers, {
    what: 'sealed mid-traffic',
    begin: () => vault.seal(),
    end: () => vault.unseal(),
  })
  await outage({ check }, traffic, managers, {
    what: 'stopped mid-traffic and started anew',
    begin: () => vault.stop(),
    end: async () => {
      await vault.start()
      await vault.unseal()
    },
  })
  await check('after a rotation of the key old objects open and new ones are written', async () => {
    await vault.api('POST', 'transit/keys/sealgate/rotate')
    for (const manager of managers) await traffic.read(await traffic.write(manager))
    return traffic.readAll()
  })
  await check('a key version that is forbidden closes its objects, and opens them again when allowed', async () => {
    const old = await traffic.write(managers[0])
    await vault.api('POST', 'transit/keys/sealgate/rotate')
    const { data } = await vault.api('GET', 'transit/keys/sealgate')
    const limit = (version) => vault.api('POST', 'transit/keys/sealgate/config', { min_decryption_version: version })
    await limit(data.latest_version)
    await sleep(1_200)
    const outcome = await traffic.read(old).then(() => 'opened', (error) => error.name)
    await limit(1)
    assert(outcome === 'KMS.DisabledException', `the object was ${outcome}`)
    await sleep(1_200)
    await traffic.read(old)
  })
}

/** What only somebody at Vault can help: refused until they have, and not longer. */
async function refusals({ check }, vault, traffic, { token: { login } }) {
  await check('a dead token is refused until its file holds another', async () => {
    const one = await traffic.write('token')
    await vault.api('POST', 'auth/token/revoke', { token: readFileSync(login.tokenFile, 'utf8').trim() })
    await traffic.denied(() => traffic.write('token'))
    await makeToken(vault.api, login.tokenFile)
    await traffic.read(one)
    await traffic.read(await traffic.write('token'))
  })
  await check('a missing permission is refused until the policy has it', async () => {
    const one = await traffic.write('approle')
    await vault.api('PUT', 'sys/policies/acl/sealgate', { policy: documentedPolicy().replace('transit/decrypt/', 'transit/nothing/') })
    await sleep(1_200)
    await traffic.denied(() => traffic.read(one))
    await vault.api('PUT', 'sys/policies/acl/sealgate', { policy: documentedPolicy() })
    await traffic.read(one)
  })
}
