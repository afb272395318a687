/** aws-cli: a tree there and back by `s3 sync`, converging; a multipart upload of 2 GiB; a ranged read. */
import { createReadStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { python } from './python.mjs'
import { assert, sh } from './shell.mjs'

const BIG_BYTES = 2 * 2 ** 30

export async function awsCli({ cache, tree, gateway, check }) {
  const bin = python(cache, ['awscli'])
  const aws = join(bin, 'aws')
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: gateway.credentialsFile,
    AWS_PROFILE: 'sealgate',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
  }
  const s3 = (...args) => sh(aws, ['--endpoint-url', gateway.endpoint, 's3', ...args], { env })
  const back = join(gateway.folder, 'aws-back')
  await check('make a bucket', () => void s3('mb', 's3://aws-tree'))
  await check(`s3 sync of ${tree.files} files up`, () => void s3('sync', '--only-show-errors', tree.path, 's3://aws-tree/tree'))
  await check('a second sync up has nothing to do', () => {
    assert(s3('sync', tree.path, 's3://aws-tree/tree').trim() === '', 'the second sync copied something')
  })
  await check('s3 sync down', () => void s3('sync', '--only-show-errors', 's3://aws-tree/tree', back))
  await check('a second sync down has nothing to do', () => {
    assert(s3('sync', 's3://aws-tree/tree', back).trim() === '', 'the second sync copied something')
  })
  await check('the trees are equal, byte for byte', () => void sh('diff', ['-r', tree.path, back]))
  rmSync(back, { recursive: true, force: true })

  const big = bigFile(cache)
  await check('multipart upload of 2 GiB', () => void s3('cp', '--only-show-errors', big, 's3://aws-tree/big'))
  await check('download of 2 GiB, same SHA-256', async () => {
    const copy = join(gateway.folder, 'big')
    s3('cp', '--only-show-errors', 's3://aws-tree/big', copy)
    assert((await sha256(copy)) === (await sha256(big)), 'the bytes differ')
    rmSync(copy)
  })
  await check('ranged reads equal the source', () => {
    for (const [first, last] of [
      [0, 0],
      [8 * 2 ** 20 - 10, 8 * 2 ** 20 + 10],
      [1_000_000_000, 1_000_100_000],
      [BIG_BYTES - 100, BIG_BYTES - 1],
    ]) {
      const out = join(gateway.folder, 'range')
      sh(aws, ['--endpoint-url', gateway.endpoint, 's3api', 'get-object', '--bucket', 'aws-tree', '--key', 'big', '--range', `bytes=${first}-${last}`, out], { env })
      sh('cmp', ['-n', String(last - first + 1), '-i', `${first}:0`, big, out])
      assert(readFileSync(out).length === last - first + 1, 'wrong length')
    }
  })
  await check('list, head, copy, move, remove', () => {
    s3('cp', 's3://aws-tree/big', 's3://aws-tree/big-copy')
    s3('mv', 's3://aws-tree/big-copy', 's3://aws-tree/moved')
    assert(s3('ls', 's3://aws-tree/moved').includes(String(BIG_BYTES)), 'the size is not exact')
    s3('rm', 's3://aws-tree/moved')
    assert(!s3('ls', 's3://aws-tree/').includes('moved'), 'it is still there')
  })
  return { version: sh(aws, ['--version']).trim().split(' ')[0] }
}

/** 2 GiB of random bytes, made once. */
export function bigFile(cache) {
  const path = join(cache, 'two-gib')
  if (existsSync(path)) return path
  mkdirSync(cache, { recursive: true })
  const block = randomBytes(64 * 2 ** 20)
  for (let at = 0; at < BIG_BYTES; at += block.length) {
    block.writeBigUInt64BE(BigInt(at), 0)
    writeFileSync(path, block, { flag: 'a' })
  }
  return path
}

function sha256(path) {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256')
    createReadStream(path, { highWaterMark: 2 ** 20 })
      .on('data', (piece) => hash.update(piece))
      .on('end', () => resolve(hash.digest('hex')))
      .on('error', reject)
  })
}
