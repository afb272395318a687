/** From settings to a key manager of a KMIP server: its files, its name and password, its keys. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { KmipServer } from '../helpers/kmip-server.ts'
import { managerOf } from '../helpers/managers-of.ts'
import { pem } from '../helpers/pem.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }

let folder: string
let server: KmipServer
let port: number
const managers: KeyManager[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealgate-kmip-'))
  server = new KmipServer()
  port = await server.start()
  server.createKey('main')
})
afterEach(async () => {
  for (const manager of managers.splice(0)) await manager.close()
  await server.stop()
  rmSync(folder, { recursive: true })
})

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function open(settings: object = {}): Promise<KeyManager> {
  const files = {
    caFile: write('ca.pem', pem('cert')),
    certFile: write('cert.pem', pem('other-cert')),
    keyFile: write('key.pem', pem('other-key')),
  }
  const common = { type: 'kmip', address: `127.0.0.1:${port}`, ...files }
  const manager = await managerOf({ ...common, key: { name: 'main' }, ...settings }, 'kmip', { clock: () => 0 })
  managers.push(manager)
  return manager
}

it('wraps by a key of the server, and by one that the server gives away', async () => {
  const manager = await open()
  const { key, wrapped } = await manager.generate(CONTEXT)
  expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
  const value = randomBytes(32)
  server.createKey('wrapping', { value })
  const wrappingKey = { name: 'wrapping', keyFile: write('wrapping', `${value.toString('hex')}\n`) }
  const get = { name: 'main', mechanism: 'get' }
  const other = await open({ key: get, formerKeys: [{ name: 'main' }], wrappingKey })
  expect(await other.unwrap(await other.rewrap(wrapped, CONTEXT), CONTEXT)).toEqual(key)
})

it('logs in by name and password too', async () => {
  server.credential = 'gateway:open sesame'
  const passwordFile = write('password', 'open sesame\n')
  await expect((await open({ username: 'gateway', passwordFile })).health()).resolves.toBeUndefined()
  await expect((await open()).health()).rejects.toMatchObject({ kind: 'denied' })
})

it('certificates that were replaced are used for the next connection, without a restart', async () => {
  const manager = await open()
  await manager.health()
  write('cert.pem', pem('cert'))
  write('key.pem', pem('key'))
  await expect(manager.health()).resolves.toBeUndefined()
  server.dropConnections()
  await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
  write('cert.pem', pem('other-cert'))
  write('key.pem', pem('other-key'))
  await expect(manager.health()).resolves.toBeUndefined()
})

it('certificates that cannot be read are refused at the start', async () => {
  await expect(open({ keyFile: join(folder, 'absent') })).rejects.toThrow('keys.managers.kmip.keyFile cannot be read')
})
