/** Not a client but a key manager: gateways whose master key is in a real Vault, which is sealed, started anew and stopped under them. */
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { startGateway } from '../gateway.mjs'
import { assert, attempt, sleep, until } from '../shell.mjs'
import { documentedPolicy, installVault, makeToken, prepareLogins, startVault } from '../vault.mjs'

const BYTES = 300_000
const PROBE_SECONDS = 1
/** Keys are asked for again almost at once, so that an outage is felt. */
const SETTINGS = {
  SEALGATE_KEYS_CACHE_LIFETIME: '1s',
  SEALGATE_KEYS_CACHE_GRACE: '0s',
  SEALGATE_ADMIN_LISTEN: 'off',
}
const QUICK = { retry: { attempts: 1 }, breaker: { failures: 3, probeInterval: `${PROBE_SECONDS}s` } }

export const kmsVault = {
  name: 'kms-vault',
  label: 'Key manager: Vault Transit',
  notes:
    'Vault from its Go module, over TLS; login by AppRole, token, userpass, JWT and client certificate under the policy of docs/keys.md.',
  /** Its gateways are its own, and no store sees more of a key manager than of another. */
  leavesNothing: true,
  cannot: ({ bare }, store) => (bare || !store.embedded ? 'key managers are tried over the embedded store' : undefined),
  install: installVault,
  run,
}

async function run(cx, { bin }) {
  const folder = mkdtempSync(join(cx.cache, 'kms-vault-'))
  const vault = await startVault(folder, bin)
  let gateway
  try {
    const managers = await prepareLogins(vault, folder)
    runContract(cx, vault)
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
  const text = readFileSync(log, 'utf8')
  assert(text.includes('key manager'), 'the log says nothing of key managers')
  const files = ['secret-id', 'password', 'jwt', 'token'].map((name) => readFileSync(join(folder, name), 'utf8').trim())
  const found = ['hvs.', 'vault:v', token, ...files].filter((secret) => text.includes(secret))
  assert(found.length === 0, `${found.length} secrets stand in the log`)
}

/** The contract of key managers, and what depends on versions and kinds of keys, by the repository's own tests. */
function runContract({ record }, { address, caFile, token, bin }) {
  const { status, output } = attempt(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--reporter=verbose', 'test/keys/vault-versions.test.ts'],
    { env: { SEALGATE_TEST_VAULT: JSON.stringify({ address, caFile, token, bin }), NO_COLOR: '1' } },
  )
  const [, passed = '0'] = /Tests\s+(?:\d+ failed \| )?(\d+) passed/.exec(output) ?? []
  const ok = status === 0 && Number(passed) > 20
  record('the contract of key managers, kinds and versions of keys', ok, 0, ok ? `${passed} tests` : output.slice(-1_500))
}

/** Objects of one gateway, each with a bucket key that the named manager wraps. */
class Traffic {
  #s3
  #written = []

  constructor(gateway) {
    this.#s3 = connect(gateway)
    // Failures are what is looked at.
    this.#s3.config.maxAttempts = async () => 1
  }

  /** In a bucket of its own, so that a key has to be made. */
  async write(manager) {
    const [Bucket, Body] = [`b-${randomBytes(6).toString('hex')}`, randomBytes(BYTES)]
    await this.#s3.send(new CreateBucketCommand({ Bucket }))
    return this.rewrite({ Bucket, manager, Body })
  }

  async rewrite({ Bucket, manager, Body }) {
    const sse = { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: `alias/${manager}` }
    await this.#s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body, ...sse }))
    const one = { Bucket, manager, Body }
    this.#written.push(one)
    return one
  }

  async read({ Bucket, Body }) {
    const answer = await this.#s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))
    assert(Buffer.from(await answer.Body.transformToByteArray()).equals(Body), 'the object is another')
  }

  async readAll() {
    for (const one of this.#written) await this.read(one)
    return `${this.#written.length} objects`
  }

  /** Not answered from open keys: those of the cache have ended. */
  async refused(work) {
    const error = await work().then(() => undefined, (caught) => caught)
    assert(error !== undefined, 'it succeeded without Vault')
    const { httpStatusCode } = error.$metadata ?? {}
    assert(httpStatusCode === 503, `it was answered with ${httpStatusCode} ${error.name}`)
    const after = error.$response?.headers?.['retry-after']
    assert(/^\d+$/.test(after ?? ''), `Retry-After is ${after}`)
  }
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
  await outage(check, traffic, managers, {
    what: 'sealed mid-traffic',
    begin: () => vault.seal(),
    end: () => vault.unseal(),
  })
  await outage(check, traffic, managers, {
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
  const denied = async (work) => {
    const outcome = await work().then(() => 'done', (error) => error.name)
    assert(outcome === 'AccessDenied', `it was ${outcome}`)
  }
  await check('a dead token is refused until its file holds another', async () => {
    const one = await traffic.write('token')
    await vault.api('POST', 'auth/token/revoke', { token: readFileSync(login.tokenFile, 'utf8').trim() })
    await denied(() => traffic.write('token'))
    await makeToken(vault.api, login.tokenFile)
    await traffic.read(one)
    await traffic.read(await traffic.write('token'))
  })
  await check('a missing permission is refused until the policy has it', async () => {
    const one = await traffic.write('approle')
    await vault.api('PUT', 'sys/policies/acl/sealgate', { policy: documentedPolicy().replace('transit/decrypt/', 'transit/nothing/') })
    await sleep(1_200)
    await denied(() => traffic.read(one))
    await vault.api('PUT', 'sys/policies/acl/sealgate', { policy: documentedPolicy() })
    await traffic.read(one)
  })
}

/** Reads all objects again and again until it is told to stop; counts the rounds. Only a 503 may be in the way. */
class Readers {
  rounds = { answered: 0, refused: 0 }
  #busy = true
  #running

  constructor(traffic) {
    this.#running = this.#work(traffic)
    this.#running.catch(() => undefined)
  }

  async #work(traffic) {
    while (this.#busy) {
      const error = await traffic.readAll().then(() => undefined, (caught) => caught)
      if (error !== undefined && error.$metadata?.httpStatusCode !== 503) throw error
      this.rounds[error === undefined ? 'answered' : 'refused'] += 1
      await sleep(50)
    }
  }

  async stop() {
    this.#busy = false
    await this.#running
  }
}

async function outage(check, traffic, managers, { what, begin, end }) {
  await check(`${what}: 503 with Retry-After for whatever needs a key that is not open`, async () => {
    const one = await traffic.write(managers[0])
    const readers = new Readers(traffic)
    try {
      await sleep(500)
      await begin()
      await sleep(2_500)
      await traffic.refused(() => traffic.read(one))
      await traffic.refused(() => traffic.write(managers[1]))
      await end()
      await until(() => traffic.read(one), PROBE_SECONDS + 2)
    } finally {
      await readers.stop()
    }
    const { answered, refused } = readers.rounds
    assert(refused > 0 && answered > 0, `of the rounds under way ${answered} were answered, ${refused} refused`)
    return `rounds under way: ${answered} answered, ${refused} refused`
  })
  await check(`${what}: everything is as it was, without a restart of the gateway`, async () => {
    const text = await until(() => traffic.readAll(), 3 * (PROBE_SECONDS + 2))
    for (const manager of managers) await until(async () => traffic.read(await traffic.write(manager)), PROBE_SECONDS + 2)
    return text
  })
}
