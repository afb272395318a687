/** What of its keys lies in the memory of a running gateway (docs/threat-model.md, "Keys in memory"). */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openComponents, random } from '../../src/compose.ts'
import { openMasterKeys } from '../../src/compose/master-keys.ts'
import { loadSettings } from '../../src/config/load.ts'
import { expand, LABELS } from '../../src/format/derive.ts'
import { factsKey } from '../../src/format/facts.ts'
import { headStored } from '../../src/gateway/sealed-object.ts'
import { createMasterKeysFile } from '../../src/keys/master-keys.ts'
import { foundIn, whyUnreadable } from '../helpers/process-memory.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const unreadable = whyUnreadable(process.pid)
if (unreadable !== undefined) console.log(`the memory of a running gateway was not searched: ${unreadable}`)

const folder = mkdtempSync(join(tmpdir(), 'sealgate-memory-'))
const bundle = join(ROOT, 'node_modules/.cache/sealgate', `memory-gateway-${process.pid}.mjs`)
const configPath = join(folder, 'sealgate.yaml')
const passphrase = randomBytes(18).toString('base64')
const credentials = { accessKeyId: 'SGMEMORY', secretAccessKey: randomBytes(20).toString('hex') }
const needles = new Map<string, Buffer>([['planted', createHash('sha256').update('planted').digest()]])
let gateway: ChildProcess
let lines: AsyncIterator<string>

beforeAll(async () => {
  if (unreadable !== undefined) return
  const files = { derived: join(folder, 'derived.json'), kept: join(folder, 'kept.json') }
  writeFileSync(join(folder, 'passphrase'), `${passphrase}\n`)
  writeFileSync(
    configPath,
    JSON.stringify({
      data: folder,
      credentials: [
        {
          accessKey: credentials.accessKeyId,
          secretKey: credentials.secretAccessKey,
          allow: [{ buckets: ['*'], actions: 'read-write' }],
        },
      ],
      keys: {
        active: 'derived',
        managers: {
          derived: { type: 'local', file: files.derived, passphraseFile: join(folder, 'passphrase') },
          kept: { type: 'local', file: files.kept },
        },
        cache: { lifetime: '1s', grace: '0s' },
      },
    }),
  )
  await createMasterKeysFile(files.derived, { random, now: Date.now(), passphrase })
  await createMasterKeysFile(files.kept, { random, now: Date.now() })
  await build({
    entryPoints: [join(ROOT, 'test/helpers/memory-gateway.ts')],
    outfile: bundle,
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'error',
  })
  gateway = spawn(process.execPath, ['--expose-gc', '--single-threaded-gc', bundle, configPath], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  lines = createInterface({ input: gateway.stdout! })[Symbol.asyncIterator]()
})

afterAll(() => {
  gateway?.kill()
  rmSync(folder, { recursive: true, force: true })
  rmSync(bundle, { force: true })
})

/** Tells the gateway something and waits until it has done it. */
async function tell(word: string): Promise<string[]> {
  gateway.stdin!.write(`${word}\n`)
  expect((await lines.next()).value).toContain('done')
  return foundIn(gateway.pid!, needles).sort()
}

/** As the gateway has them, and as texts of them would look: the second half alone, since whoever frees memory writes over its beginning. */
function seek(name: string, key: Buffer): void {
  needles.set(name, half(key))
  for (const form of ['hex', 'base64url', 'base64'] as const)
    needles.set(`${name} in ${form}`, half(Buffer.from(key.toString(form).replace(/=+$/, ''))))
}

const half = (bytes: Buffer): Buffer => Buffer.from(bytes.subarray(bytes.length / 2))

/** The keys of what was stored, opened from the same files by this process. */
async function seekKeys(): Promise<void> {
  const settings = loadSettings({ configPath, env: {}, readFile: (path) => readFileSync(path, 'utf8') })
  for (const [alias, manager] of Object.entries(settings.keys.managers)) {
    if (manager.type !== 'local') throw new Error('a manager of another type')
    seek(`master key ${alias}`, (await openMasterKeys(alias, manager)).active.key)
  }
  const own = await openComponents(settings)
  for (const key of ['small', 'large', 'kept']) {
    const place = { bucket: 'memory', key }
    const stored = await headStored(own.gateway, place)
    if (stored.kind !== 'sealed') throw new Error('it was stored in plaintext')
    seek(`object key ${key}`, stored.objectKey)
    const { key: bucketKey } = await own.gateway.keys.open(stored.envelope, 'memory')
    seek(`bucket key ${stored.envelope.alias}`, bucketKey)
    seek(`facts key ${stored.envelope.alias}`, factsKey(bucketKey))
    const header = Buffer.concat([Buffer.from('SGT1'), Buffer.of(1, 1, 0, 0), stored.metadata.salt])
    seek(`segment key ${key}`, expand(stored.objectKey, LABELS.segment, header, 76).subarray(0, 32))
  }
  await own.close()
}

test.skipIf(unreadable !== undefined)(
  'keys are in the memory of a running gateway while they are used, and no longer',
  async () => {
    needles.set('passphrase', half(Buffer.from(passphrase)))
    const ready = String((await lines.next()).value)
    const endpoint = ready.replace('ready at ', '')
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
    await client.send(new CreateBucketCommand({ Bucket: 'memory' }))
    const put = (Key: string, Body: Buffer, alias?: string) =>
      client.send(
        new PutObjectCommand({
          Bucket: 'memory',
          Key,
          Body,
          ...(alias === undefined ? {} : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: alias }),
        }),
      )
    const read = async (Key: string, Range?: string) =>
      (await client.send(new GetObjectCommand({ Bucket: 'memory', Key, Range }))).Body?.transformToByteArray()
    await put('small', randomBytes(4_096))
    await put('large', randomBytes(6_000_000))
    await put('kept', randomBytes(100), 'kept')
    for (const key of ['small', 'large', 'kept']) await read(key)
    await read('large', 'bytes=100000-200000')
    client.destroy()
    await seekKeys()

    // Those that it needs are there, or this search would not find them when they should not be.
    const serving = await tell('collect')
    const [masters, buckets, facts] = ['master', 'bucket', 'facts'].map((kind) =>
      ['derived', 'kept'].map((alias) => `${kind} key ${alias}`),
    )
    expect(serving).toEqual([...buckets!, ...facts!, ...masters!, 'planted'])

    expect(await tell('expire')).toEqual(['master key derived', 'master key kept', 'planted'])
    expect(await tell('close')).toEqual(['planted'])
  },
  120_000,
)
