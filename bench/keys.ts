/** What key managers elsewhere cost: requests under open keys, calls for each object, rotation. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KmsServer } from '../test/helpers/kms-server.ts'
import { VaultServer } from '../test/helpers/vault-server.ts'
import { compare, many, SMALL_LOADS, type Version } from './against.ts'
import { BenchClient } from './client.ts'
import { check, type Row } from './gateway.ts'
import { ROOT, startSealgate } from './processes.ts'

/** What a key manager elsewhere may cost while its keys are open. */
const WARM_BOUND = 1.02
const AT_ONCE = 16
/** Calls that a replica may need for all objects of one day under one bucket's key. */
const MOST_CALLS = 10

/** Runs those of `keys-warm` and `keys-calls` that are named; the latter with so many objects. */
export async function benchKeys(parts: readonly string[], objects: number): Promise<Row[]> {
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'bench-keys-'))
  try {
    return [
      ...(parts.includes('keys-warm') ? await warm(folder) : []),
      ...(parts.includes('keys-calls') ? await calls(folder, objects) : []),
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** CPU of small requests under open keys: each manager elsewhere against the local one, in turn. The managers are stand-ins in this process. */
async function warm(folder: string): Promise<Row[]> {
  const kms = new KmsServer()
  const vault = new VaultServer()
  const managers = { 'aws-kms': await awsKms(kms), 'vault-transit': await vaultTransit(vault, folder) }
  const rows: Row[] = []
  try {
    for (const [type, manager] of Object.entries(managers)) {
      const versions = [await startWith(join(folder, type), manager), await startWith(join(folder, `${type}-local`))]
      const [elsewhere, here] = versions as [Version, Version]
      for (const { client } of versions) check(await client.put('/bench', 0))
      for (const load of SMALL_LOADS) {
        const { ratio } = await compare(load, elsewhere, here)
        rows.push({ name: `${load.name}: ${type} over local`, value: ratio, unit: '×', bound: WARM_BOUND })
      }
      await stop(versions)
    }
    return rows
  } finally {
    await Promise.all([kms.stop(), vault.stop()])
  }
}

/** Calls to the key manager for so many objects of one bucket, written and some of them read. */
async function calls(folder: string, objects: number): Promise<Row[]> {
  const kms = new KmsServer()
  const gateway = await startWith(join(folder, 'calls'), await awsKms(kms))
  try {
    check(await gateway.client.put('/bench', 0))
    await many(objects, AT_ONCE, (i) => gateway.client.put(`/bench/object-${i}`, 16))
    await many(Math.ceil(objects / 100), AT_ONCE, (i) => gateway.client.get(`/bench/object-${i * 100}`))
    return [
      {
        name: `${objects} objects of one bucket: calls to the key manager`,
        value: kms.calls.length,
        unit: 'calls',
        bound: MOST_CALLS,
      },
    ]
  } finally {
    await stop([gateway])
    await kms.stop()
  }
}

async function awsKms(kms: KmsServer): Promise<object> {
  const endpoint = await kms.start()
  kms.createKey('alias/bench')
  return {
    type: 'aws-kms',
    keyId: 'alias/bench',
    region: 'eu-central-1',
    endpoint,
    accessKeyId: 'bench',
    secretAccessKey: 'bench-secret',
  }
}

async function vaultTransit(vault: VaultServer, folder: string): Promise<object> {
  const address = await vault.start()
  vault.createKey('bench')
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, vault.createToken({ lease: 0 }))
  return { type: 'vault-transit', address, keyName: 'bench', login: { method: 'token', tokenFile } }
}

/** A gateway over the embedded store whose only key manager is that one; the local one if none is named. */
async function startWith(data: string, manager?: object): Promise<Version> {
  const env =
    manager === undefined
      ? {}
      : { SEALGATE_KEYS_ACTIVE: 'bench', SEALGATE_KEYS_MANAGERS: JSON.stringify({ bench: manager }) }
  const { running, endpoint, credentials } = await startSealgate(data, { env })
  return { running, client: new BenchClient(endpoint, credentials) }
}

async function stop(gateways: readonly Version[]): Promise<void> {
  for (const { client, running } of gateways) {
    client.close()
    await running.stop()
  }
}
