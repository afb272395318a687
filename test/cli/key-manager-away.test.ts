/** A gateway whose key manager is away when it starts: the command as it runs, one process and several. */
import { afterEach, expect, it } from 'vitest'
import { freePort, type Started, Workplace } from '../helpers/command.ts'
import { KmsServer } from '../helpers/kms-server.ts'

let place: Workplace
let gateway: Started | undefined
const kms = new KmsServer()

afterEach(async () => {
  await gateway?.stop()
  await kms.stop()
  place.remove()
})

it.each([1, 2])(
  'starts, says so, and is ready once it answers: %i processes',
  async (workers) => {
    kms.createKey('alias/main')
    const endpoint = await kms.start()
    await kms.stop()
    const admin = `127.0.0.1:${await freePort()}`
    const main = { type: 'aws-kms', keyId: 'alias/main', region: 'eu-central-1', endpoint, timeout: '2s' }
    place = new Workplace({
      SEALGATE_KEYS_MANAGERS: JSON.stringify({ main: { ...main, accessKeyId: 'AKID', secretAccessKey: 'kms-secret' } }),
      SEALGATE_KEYS_ACTIVE: 'main',
      SEALGATE_SERVER_WORKERS: String(workers),
      SEALGATE_ADMIN_LISTEN: admin,
    })
    gateway = await place.serve()
    const { stderr } = gateway
    const ready = async () => {
      const answer = await fetch(`http://${admin}/readyz`)
      return { status: answer.status, text: await answer.text() }
    }
    await expect.poll(stderr, { timeout: 10_000 }).toContain('"a key manager cannot be used"')
    expect(stderr()).toContain('kms:DescribeKey failed (ECONNREFUSED)')
    const away = await ready()
    expect(away).toMatchObject({ status: 503 })
    expect(away.text).toContain('{"name":"keys/main","status":"failing"}')
    await kms.start()
    await expect.poll(async () => (await ready()).status, { timeout: 10_000 }).toBe(200)
    const put = ['put', '-', 's3://first/a', '--create-bucket', '--endpoint', gateway.endpoint]
    expect(await place.run(put, {}, 'x')).toMatchObject({ code: 0 })
    await kms.stop()
    const spared = await ready()
    // Of several processes some have no open key: they cannot serve anything.
    expect(spared.text).toContain(workers === 1 ? '{"name":"keys/main","status":"degraded"}' : '"keys/main"')
    expect(stderr()).not.toContain('kms-secret')
  },
  60_000,
)
