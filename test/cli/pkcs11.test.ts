/** A gateway whose master key is in a token, from each form that Sealgate runs in: its threads begin with a file of their own. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import Module from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openManagers } from '../../src/compose/key-managers.ts'
import { loadSettings } from '../../src/config/load.ts'
import { BIN, Workplace } from '../helpers/command.ts'
import { type Pkcs11Files, pkcs11Files } from '../helpers/pkcs11-files.ts'
import { SoftToken } from '../helpers/soft-token.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CONTEXT = { namespace: 'backups', day: 20_417 }
const PIN = '2468-pin'

let files: Pkcs11Files
let token: SoftToken

/** Settings in the folder of a place, which stay where they are while the place's data do. */
function furnish(place: Workplace, pin = PIN): void {
  writeFileSync(place.path('pin'), `${pin}\n`)
  writeFileSync(place.path('secret'), 'a-secret-of-a-client')
  writeFileSync(
    place.path('sealgate.yaml'),
    `
keys:
  active: hsm
  managers:
    hsm:
      type: pkcs11
      module: ${token.path}
      token: { label: vault }
      pinFile: ${place.path('pin')}
      key: { label: main }
credentials:
  - { accessKey: CLIENT, secretKeyFile: ${place.path('secret')}, allow: [{ buckets: ["*"], actions: read-write }] }
`,
  )
}

/** Puts an object, reads it, starts anew and reads it again. */
async function tryOut(place: Workplace): Promise<void> {
  const command = { Bucket: 'backups', Key: 'one' }
  for (const first of [true, false]) {
    const gateway = await place.serve()
    const credentials = { accessKeyId: 'CLIENT', secretAccessKey: 'a-secret-of-a-client' }
    const client = new S3Client({ endpoint: gateway.endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
    if (first) {
      await client.send(new CreateBucketCommand({ Bucket: 'backups' }))
      await client.send(new PutObjectCommand({ ...command, Body: 'sealed under a key of a token' }))
    }
    const { Body } = await client.send(new GetObjectCommand(command))
    expect(await Body?.transformToString()).toBe('sealed under a key of a token')
    client.destroy()
    expect(await gateway.stop()).toBe(0)
  }
  expect(token.calls).toContain('C_Decrypt')
  token.forgetCalls()
}

beforeAll(async () => {
  files = await pkcs11Files()
  token = new SoftToken(join(files.folder, 'token'), ['main'])
})
afterAll(() => files.remove())

describe('a key manager of type pkcs11', () => {
  test('works from the bundle of a checkout', async () => {
    const place = new Workplace({ NODE_PATH: files.packages }, BIN)
    furnish(place)
    await tryOut(place)
    place.remove()
  })

  test('works from a built package', async () => {
    // Where the packages of this checkout are found.
    const installed = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'sealgate-built-'))
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const built = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist')], {
      cwd: ROOT,
      encoding: 'utf8',
    })
    expect(built.stdout).toBe('')
    cpSync(BIN, join(installed, 'bin', 'sealgate.mjs'))
    cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'))
    const place = new Workplace({ NODE_PATH: files.packages }, join(installed, 'bin', 'sealgate.mjs'))
    furnish(place)
    await tryOut(place)
    place.remove()
    rmSync(installed, { recursive: true })
  }, 120_000)

  test('works from sources', async () => {
    const place = new Workplace()
    furnish(place)
    const readFile = (path: string): string => readFileSync(path, 'utf8')
    const settings = loadSettings({ env: {}, readFile, configPath: place.path('sealgate.yaml') })
    process.env.NODE_PATH = files.packages
    // As at the start of a process.
    ;(Module as unknown as { _initPaths: () => void })._initPaths()
    const timing = { now: Date.now, random: Math.random, sleep: async () => undefined }
    const manager = (await openManagers(settings, { random: randomBytes, timing })).get('hsm')
    const { key, wrapped } = await manager!.generate(CONTEXT)
    expect((await manager!.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    await manager!.close()
    delete process.env.NODE_PATH
    place.remove()
  })

  const installed = existsSync(join(ROOT, 'node_modules', 'pkcs11js'))
  test.skipIf(installed)('is refused at the start, with the command that helps, without its package', async () => {
    const place = new Workplace({ NODE_PATH: '' })
    furnish(place)
    const { code, stderr } = await place.run(['serve'])
    expect(code).toBe(2)
    expect(stderr).toContain('npm install pkcs11js@2.1.7')
    place.remove()
  })

  test('is refused at the start where its library is not there', async () => {
    const place = new Workplace({ NODE_PATH: files.packages })
    furnish(place)
    const settings = readFileSync(place.path('sealgate.yaml'), 'utf8').replace(token.path, '/nonexistent/library.so')
    writeFileSync(place.path('sealgate.yaml'), settings)
    const { code, stderr } = await place.run(['serve'])
    expect(code).toBe(2)
    expect(stderr).toContain('keys.managers.hsm.module cannot be read: /nonexistent/library.so')
    place.remove()
  })
})
