/** Not a client but a key manager: gateways whose master key is in moto's KMS, which is stopped, and its keys moved, disabled and deleted. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startGateway } from '../gateway.mjs'
import { assertNone, OWN_GATEWAYS, runContract } from '../key-managers.mjs'
import { outage, QUICK, SETTINGS, Traffic } from '../key-traffic.mjs'
import { installMoto, moveAlias, prepareIdentities, startMoto } from '../moto.mjs'
import { assert, sh, sleep } from '../shell.mjs'

export const kmsAws = {
  name: 'kms-aws',
  label: 'Key manager: AWS KMS (moto)',
  notes:
    'moto checks encryption contexts and, where asked to, signatures and the actions of policies (not their resources, and no web identity tokens). Two things are put in by how it is started: its keys outlive it, and one that is disabled or about to be deleted is refused.',
  ...OWN_GATEWAYS,
  install: installMoto,
  run,
}

async function run(cx, tool) {
  const folder = mkdtempSync(join(cx.cache, 'kms-aws-'))
  const moto = await startMoto(folder, tool)
  const gateways = new Gateways(cx, moto, folder)
  try {
    runContract(cx, folder, 'test/keys/aws-kms-real.test.ts', {
      SEALGATE_TEST_MOTO: JSON.stringify({ endpoint: moto.endpoint }),
    })
    const identities = await prepareIdentities(moto, folder)
    gateways.identities = identities
    await moveAlias(moto.kms, 'alias/sealgate')
    await gateways.start()
    await endToEnd(cx, moto, gateways)
    await permissions(cx, moto, gateways)
    await states(cx, moto, gateways)
    await movedAlias(cx, moto, gateways)
    await cx.check('no ARN, key id or credential in the logs of the gateways', () => gateways.searchLogs())
  } finally {
    appendFileSync(cx.gateway.log, `${gateways.logs}${readFileSync(moto.log)}`)
    await gateways.stop()
    await moto.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** One gateway after the other over the same data, whose managers have the credentials of a user and of a role. */
class Gateways {
  identities
  traffic
  managers = ['user', 'role']
  logs = ''
  #cx
  #moto
  #folder
  #gateway

  constructor(cx, moto, folder) {
    this.#cx = cx
    this.#moto = moto
    this.#folder = folder
  }

  async start(more = {}) {
    await this.stop()
    const { endpoint, region } = this.#moto
    const { user, roleEnv } = this.identities
    const common = { type: 'aws-kms', keyId: 'alias/sealgate', region, endpoint, timeout: '2s', ...QUICK, ...more }
    const managers = { user: { ...common, ...user }, role: { ...common, auth: 'web-identity' } }
    const keys = { SEALGATE_KEYS_MANAGERS: JSON.stringify(managers), SEALGATE_KEYS_ACTIVE: 'user' }
    const env = { ...SETTINGS, ...roleEnv, ...keys, SEALGATE_DATA: join(this.#folder, 'data') }
    this.#gateway = await startGateway(this.#cx.cache, this.#cx.store, { env })
    if (this.traffic === undefined) this.traffic = new Traffic(this.#gateway)
    else this.traffic.follow(this.#gateway)
  }

  /** A command of Sealgate beside the gateway. */
  command(...args) {
    return sh(process.execPath, ['bin/sealgate.mjs', ...args], { env: this.#gateway.env })
  }

  async stop() {
    if (this.#gateway !== undefined) this.logs += readFileSync(this.#gateway.log, 'utf8')
    await this.#gateway?.stop()
    this.#gateway = undefined
  }

  async searchLogs() {
    await this.stop()
    const { accessKeyId, secretAccessKey } = this.identities.user
    const { Keys } = await this.#moto.kms.listKeys({})
    assertNone(['arn:aws', 'ASIA', accessKeyId, secretAccessKey, ...Keys.map(({ KeyId }) => KeyId)], this.logs)
  }
}

async function endToEnd({ check }, moto, { traffic, managers }) {
  for (const manager of managers) {
    await check(`credentials of a ${manager}: put and get`, async () => traffic.read(await traffic.write(manager)))
  }
  await outage({ check }, traffic, managers, {
    what: 'stopped mid-traffic and started anew',
    begin: () => moto.stop(),
    end: () => moto.start(),
  })
}

/** moto forgets users and roles when it is started anew. */
async function permissions({ check }, moto, gateways) {
  gateways.identities = await prepareIdentities(moto, mkdtempSync(join(moto.folder, 'identities-')))
  await gateways.start()
  const { traffic, managers } = gateways
  try {
    await moto.enforce(true)
    await check('the documented policy is enough, with signatures and permissions checked', async () => {
      for (const manager of managers) await traffic.read(await traffic.write(manager))
      await sleep(1_200)
      const text = await traffic.readAll()
      gateways.command('keys', 'rewrap')
      return text
    })
    for (const action of ['kms:Decrypt', 'kms:GenerateDataKey']) {
      await check(`without ${action} it is refused until the policy has it`, async () => {
        const one = await traffic.write('user')
        await moto.enforce(false)
        await gateways.identities.allowAllBut(action)
        await moto.enforce(true)
        await sleep(1_200)
        await traffic.denied(() => (action === 'kms:Decrypt' ? traffic.read(one) : traffic.write('user')))
        await moto.enforce(false)
        await gateways.identities.allowAllBut()
        await moto.enforce(true)
        await traffic.read(one)
        await traffic.write('user')
      })
    }
  } finally {
    await moto.enforce(false)
  }
}

async function states({ check }, { kms }, { traffic }) {
  const keyId = async () => (await kms.describeKey({ KeyId: 'alias/sealgate' })).KeyMetadata.KeyId
  const refusedMeanwhile = async (code, begin, end) => {
    const one = await traffic.write('user')
    const KeyId = await keyId()
    await begin(KeyId)
    await sleep(1_200)
    await traffic.denied(() => traffic.read(one), code)
    await traffic.denied(() => traffic.write('role'), code)
    await end(KeyId)
    await traffic.read(one)
    await traffic.read(await traffic.write('role'))
  }
  await check('a disabled key is refused until it is enabled', () =>
    refusedMeanwhile('KMS.DisabledException', (KeyId) => kms.disableKey({ KeyId }), (KeyId) => kms.enableKey({ KeyId })),
  )
  await check('a key that is about to be deleted is refused until that is called off', () =>
    refusedMeanwhile(
      'KMS.KMSInvalidStateException',
      (KeyId) => kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 }),
      async (KeyId) => {
        await kms.cancelKeyDeletion({ KeyId })
        await kms.enableKey({ KeyId })
      },
    ),
  )
}

async function movedAlias({ check }, { kms }, gateways) {
  const { traffic, managers } = gateways
  const { KeyMetadata } = await kms.describeKey({ KeyId: 'alias/sealgate' })
  await check('an alias that moved: the old key opens nothing before formerKeyIds names it, new keys do', async () => {
    const old = await traffic.write('user')
    await moveAlias(kms, 'alias/sealgate')
    const fresh = await traffic.write('user')
    await sleep(1_200)
    await traffic.read(fresh)
    const outcome = await traffic.read(old).then(() => 'opened', (error) => error.$metadata?.httpStatusCode)
    assert(outcome === 500, `the old object was ${outcome}`)
    await gateways.start({ formerKeyIds: [KeyMetadata.KeyId] })
    return traffic.readAll()
  })
  await check('keys rewrap: everything opens without the old key, which is then deleted', async () => {
    gateways.command('keys', 'rewrap')
    await gateways.start()
    const text = await traffic.readAll()
    await kms.scheduleKeyDeletion({ KeyId: KeyMetadata.KeyId, PendingWindowInDays: 7 })
    await sleep(1_200)
    await traffic.readAll()
    for (const manager of managers) await traffic.read(await traffic.write(manager))
    return text
  })
}
