// The search for secrets in the outputs of a whole run finds one, whatever it looks like there.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Workplace } from './helpers/command.ts'
import { startGateway } from './helpers/gateway.ts'
import { FOLDER, keepOutput, leaksIn, minted } from './helpers/outputs.ts'
import { teardown } from './helpers/outputs-setup.ts'

const run = process.env[FOLDER]
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealgate-planted-'))
  process.env[FOLDER] = folder
})

afterEach(() => {
  process.env[FOLDER] = run
})

const kept = (): string =>
  readdirSync(folder)
    .filter((file) => file.startsWith('output-'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('')

test.each(['hex', 'base64', 'base64url'] as const)('a planted key is found in %s', (form) => {
  const key = minted('planted', randomBytes(32))
  keepOutput(`{"level":"info","why":["Invalid: x${randomBytes(9).toString('hex')}${key.toString(form)}/and more"]}\n`)
  expect(leaksIn(folder)).toEqual([expect.stringContaining('planted in output-gateways')])
})

test('a planted passphrase is found, although it came in pieces', () => {
  minted('planted', 'correct horse battery')
  keepOutput('the passphrase correct hor', 'command')
  keepOutput('se battery is wrong', 'command')
  expect(leaksIn(folder)).toEqual([expect.stringContaining('planted in output-command')])
})

test('an output without one is clean, also with half of one in it', () => {
  const key = minted('planted', randomBytes(32))
  keepOutput(`${key.toString('hex').slice(0, 60)} ${randomBytes(32).toString('hex')}`)
  expect(leaksIn(folder)).toEqual([])
})

test('the end of a run fails with the name of the secret, shows none and leaves none behind', () => {
  const code = process.exitCode
  minted('planted', 'correct horse battery')
  keepOutput('correct horse battery')
  expect(teardown).toThrow(/^the tests put out secrets:\nplanted in output-gateways-\d+$/)
  expect(process.exitCode).toBe(1)
  process.exitCode = code
  expect(existsSync(folder)).toBe(false)
})

test('what commands print and log is kept, and so are the secrets that they made', async () => {
  const place = new Workplace()
  writeFileSync(place.path('sealgate.yaml'), 'log: { level: quiet }\n')
  await place.run(['check-config'])
  expect(kept()).toContain('log.level')
  writeFileSync(place.path('sealgate.yaml'), '')
  const gateway = await place.serve()
  await gateway.stop()
  expect(kept()).toContain('ready at')
  place.remove()
  expect(leaksIn(folder)).toEqual([])
  const secrets = readdirSync(folder).filter((file) => file.startsWith('secrets-'))
  const text = readFileSync(join(folder, secrets[0]!), 'utf8')
  for (const name of ['a master key', 'the secret access key of a first start'])
    expect(text).toContain(`"name":"${name}"`)
})

test('what gateways of tests log and answer is kept, and so are their keys', async () => {
  const gateway = await startGateway()
  const put = gateway.client().send(new PutObjectCommand({ Bucket: 'nowhere', Key: 'k', Body: 'x' }))
  await expect(put).rejects.toThrow()
  await gateway.close()
  expect(kept()).toContain('"msg":"request refused"')
  expect(kept()).toContain('<Code>NoSuchBucket</Code>')
  expect(readdirSync(folder).some((file) => file.startsWith('secrets-'))).toBe(true)
})
