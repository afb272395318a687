/** The second reader, in Python: every vector, and objects of every kind exported from the running gateway. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { CreateBucketCommand, CopyObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { python } from '../install.mjs'
import { assert, sh } from '../shell.mjs'

const READER = 'docs/reader/sealgate_reader.py'

export const reader = {
  name: 'reader',
  label: 'Python reader',
  notes: 'Not a client of the gateway: the second reader, of raw objects and the master key alone.',
  install({ cache }) {
    const bin = python(cache, ['cryptography'])
    return { bin, version: sh(join(bin, 'python'), ['--version']).trim().split(' ')[1] }
  },
  run: readAll,
}

async function readAll({ gateway, check }, { bin }) {
  const run = (...args) => sh(join(bin, 'python'), [READER, ...args])
  const folder = join(gateway.folder, 'reader')
  mkdirSync(folder, { recursive: true })
  await check('every test vector', () => {
    const full = join(folder, 'vectors')
    sh(process.execPath, ['scripts/run-ts.mjs', 'test/vectors/generate.ts', '--expand', full])
    const output = run('vectors', full)
    assert(/^\d+ passed, 0 failed$/m.test(output), output.slice(-2000))
    return /^\d+ passed, 0 failed$/m.exec(output)?.[0]
  })
  for (const [kind, expected] of await makeObjects(gateway)) {
    await check(`an exported object: ${kind}`, () => {
      const raw = join(folder, kind)
      const out = join(folder, `${kind}.out`)
      sh(process.execPath, ['bin/sealgate.mjs', 'inspect', `s3://reader/${kind}`, '--export', raw], {
        env: gateway.env,
      })
      run('decrypt', raw, '--master-keys', join(gateway.data, 'master-keys.json'), '-o', out)
      assert(readFileSync(out).equals(expected), 'the bytes differ')
    })
  }
  rmSync(folder, { recursive: true, force: true })
}

/** One object of each kind that the gateway writes, by key, with its plaintext. */
async function makeObjects(gateway) {
  const Bucket = 'reader'
  const client = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: gateway.accessKey, secretAccessKey: gateway.secretKey },
  })
  await client.send(new CreateBucketCommand({ Bucket }))
  const kinds = new Map([
    ['empty', Buffer.alloc(0)],
    ['small', randomBytes(1000)],
    ['chunks', randomBytes(200_000)],
    ['streamed', randomBytes(3_000_000)],
    ['large-with-foot', randomBytes(6_000_000)],
  ])
  for (const [Key, Body] of kinds)
    await client.send(new PutObjectCommand({ Bucket, Key, Body, Metadata: { kind: Key } }))
  for (const [Key, bytes] of [
    ['one-part', 6_000_000],
    ['three-parts', 17_000_000],
  ]) {
    const Body = randomBytes(bytes)
    await new Upload({ client, params: { Bucket, Key, Body }, partSize: 6 * 2 ** 20 }).done()
    kinds.set(Key, Body)
  }
  for (const Key of ['small', 'three-parts']) {
    await client.send(new CopyObjectCommand({ Bucket, Key: `copy-of-${Key}`, CopySource: `${Bucket}/${Key}` }))
    kinds.set(`copy-of-${Key}`, kinds.get(Key))
  }
  client.destroy()
  writeFileSync(join(gateway.folder, 'kinds.json'), JSON.stringify([...kinds.keys()]))
  return kinds
}
