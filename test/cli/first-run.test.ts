/** The first start, the next ones, and what must not happen between them. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { BIN, freePort, Workplace } from '../helpers/command.ts'

// As a user's shell runs it.
let place = new Workplace({}, BIN)
afterEach(() => {
  place.remove()
  place = new Workplace({}, BIN)
})

test('the first start makes a key and a credential for their owner alone, says where they are, and SIGTERM ends it', async () => {
  const gateway = await place.serve()
  for (const name of ['master-keys.json', 'aws-credentials']) {
    const path = place.path(`sealgate-data/${name}`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  }
  expect(readFileSync(place.path('sealgate-data/aws-credentials'), 'utf8')).toMatch(
    /^\[sealgate\]\naws_access_key_id = \w{20}\naws_secret_access_key = \S{40}\n$/,
  )
  expect(await gateway.stop()).toBe(0)
})

test('a later start uses the same key and credential, and serves what was stored', async () => {
  const first = await place.serve()
  const put = await place.run(
    ['put', '-', 's3://kept/a', '--create-bucket', '--endpoint', first.endpoint],
    {},
    'still here',
  )
  expect(put.stderr).toBe('')
  await first.stop()
  const key = readFileSync(place.path('sealgate-data/master-keys.json'), 'utf8')
  const second = await place.serve()
  expect(readFileSync(place.path('sealgate-data/master-keys.json'), 'utf8')).toBe(key)
  const got = await place.run(['get', 's3://kept/a', '-', '--endpoint', second.endpoint])
  expect(got.stdout).toBe('still here')
  await second.stop()
})

test('a store without its key file does not start, and no second key is made', async () => {
  await (await place.serve()).stop()
  rmSync(place.path('sealgate-data/master-keys.json'))
  const again = await place.run(['serve'])
  expect(again.code).toBe(2)
  expect(again.stderr).toContain('master-keys.json is missing')
  expect(again.stderr).toContain('Restore it from your backup')
  expect(existsSync(place.path('sealgate-data/master-keys.json'))).toBe(false)
})

test('wrong settings end the start with path, value and remedy, and no secret', async () => {
  writeFileSync(
    place.path('sealgate.yaml'),
    'log:\n  level: loud\nencrypt: fals\ncredentials:\n  - accessKey: abc\n    secretKey: short\n    allow: []\n',
  )
  const ran = await place.run(['check-config'])
  expect(ran.code).toBe(2)
  for (const text of ['log.level', 'loud', 'write trace', 'encrypt', 'secretKey', 'allow'])
    expect(ran.stderr).toContain(text)
  expect(ran.stderr).not.toContain('short')
  expect((await place.run(['serve', '--config', 'missing.yaml'])).code).toBe(2)
})

test('an address in use is told with the way to another', async () => {
  const gateway = await place.serve()
  const listen = gateway.endpoint.replace('http://', '')
  const other = new Workplace({ SEALGATE_SERVER_LISTEN: listen }, BIN)
  const ran = await other.run(['serve'])
  expect(ran.code).toBe(3)
  expect(ran.stderr).toContain('SEALGATE_SERVER_LISTEN')
  other.remove()
  await gateway.stop()
})

test('two workers serve one folder, and the admin listener answers for both', async () => {
  const admin = `127.0.0.1:${await freePort()}`
  const gateway = await place.serve({ SEALGATE_SERVER_WORKERS: '2', SEALGATE_ADMIN_LISTEN: admin })
  expect(await (await fetch(`http://${admin}/healthz`)).json()).toEqual({ status: 'ok' })
  expect((await fetch(`http://${admin}/readyz`)).status).toBe(200)
  const metrics = await fetch(`http://${admin}/metrics`)
  expect(metrics.headers.get('content-type')).toContain('text/plain')
  expect(await metrics.text()).toContain('# TYPE sealgate_plaintext_objects gauge')
  const puts = Array.from({ length: 6 }, (_, i) =>
    place.run(['put', '-', `s3://shared/${i}`, '--create-bucket', '--endpoint', gateway.endpoint], {}, `text ${i}`),
  )
  for (const ran of await Promise.all(puts)) expect([ran.code, ran.stderr]).toEqual([0, ''])
  const listed = await place.run(['ls', 's3://shared', '--json', '--endpoint', gateway.endpoint])
  expect(listed.stdout.trim().split('\n')).toHaveLength(6)
  expect(await gateway.stop()).toBe(0)
}, 90_000)
