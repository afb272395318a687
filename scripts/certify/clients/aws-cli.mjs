/** aws-cli: a tree there and back by `s3 sync`, converging; a multipart upload of 2 GiB; a ranged read. */
import { createReadStream, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { python } from '../install.mjs'
import { assert, sh } from '../shell.mjs'
import { bigFile } from '../tree.mjs'

const VERSION = '1.46.3'

export const awsCli = {
  name: 'aws-cli',
  label: 'aws-cli',
  install: ({ cache }) => ({ aws: join(python(cache, [`awscli==${VERSION}`]), 'aws'), version: VERSION }),
  run,
}

async function run(cx, { aws }) {
  const { tree, gateway, check } = cx
  // It presigns with SigV2 for endpoints that are not AWS's, unless it is told otherwise.
  const config = join(gateway.folder, 'aws-config')
  writeFileSync(config, '[profile sealgate]\ns3 =\n  signature_version = s3v4\n  addressing_style = path\n')
  const env = {
    AWS_SHARED_CREDENTIALS_FILE: gateway.credentialsFile,
    AWS_PROFILE: 'sealgate',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: config,
    AWS_CA_BUNDLE: undefined,
  }
  const s3 = (...args) => sh(aws, ['--endpoint-url', gateway.endpoint, 's3', ...args], { env })
  const api = (...args) => sh(aws, ['--endpoint-url', gateway.endpoint, 's3api', ...args], { env })
  const back = join(gateway.folder, 'aws-back')
  await check('make a bucket', () => void s3('mb', 's3://aws-tree'))
  await check('s3 sync of a tree up', () => void s3('sync', '--only-show-errors', tree.path, 's3://aws-tree/tree'))
  await check('a second sync up has nothing to do', () => {
    assert(s3('sync', tree.path, 's3://aws-tree/tree').trim() === '', 'the second sync copied something')
  })
  await check('s3 sync down', () => void s3('sync', '--only-show-errors', 's3://aws-tree/tree', back))
  await check('a second sync down has nothing to do', () => {
    assert(s3('sync', 's3://aws-tree/tree', back).trim() === '', 'the second sync copied something')
  })
  await check('the trees are equal, byte for byte', () => void sh('diff', ['-r', tree.path, back]))
  rmSync(back, { recursive: true, force: true })

  const { path: big, bytes } = bigFile(cx)
  await check('multipart upload of a big file', () => void s3('cp', '--only-show-errors', big, 's3://aws-tree/big'))
  await check('download of it, same SHA-256', async () => {
    const copy = join(gateway.folder, 'big')
    s3('cp', '--only-show-errors', 's3://aws-tree/big', copy)
    assert((await sha256(copy)) === (await sha256(big)), 'the bytes differ')
    rmSync(copy)
  })
  await check('ranged reads equal the source', () => {
    for (const [first, last] of [
      [0, 0],
      [8 * 2 ** 20 - 10, 8 * 2 ** 20 + 10],
      [Math.floor(bytes / 2), Math.floor(bytes / 2) + 100_000],
      [bytes - 100, bytes - 1],
    ]) {
      const out = join(gateway.folder, 'range')
      api('get-object', '--bucket', 'aws-tree', '--key', 'big', '--range', `bytes=${first}-${last}`, out)
      sh('cmp', ['-n', String(last - first + 1), '-i', `${first}:0`, big, out])
      assert(readFileSync(out).length === last - first + 1, 'wrong length')
    }
  })
  await check('list, head, copy, move, remove', () => {
    s3('cp', 's3://aws-tree/big', 's3://aws-tree/big-copy')
    s3('mv', 's3://aws-tree/big-copy', 's3://aws-tree/moved')
    assert(s3('ls', 's3://aws-tree/moved').includes(String(bytes)), 'the size is not exact')
    s3('rm', 's3://aws-tree/moved')
    assert(!s3('ls', 's3://aws-tree/').includes('moved'), 'it is still there')
  })
  await check('metadata, and a presigned URL', async () => {
    api(
      'put-object',
      '--bucket',
      'aws-tree',
      '--key',
      'described',
      '--body',
      'package.json',
      '--metadata',
      'one=1',
      '--content-type',
      'a/b',
    )
    const head = JSON.parse(api('head-object', '--bucket', 'aws-tree', '--key', 'described'))
    assert(head.Metadata.one === '1' && head.ContentType === 'a/b', JSON.stringify(head))
    const answer = await fetch(s3('presign', 's3://aws-tree/described').trim())
    assert(
      answer.status === 200 && (await answer.text()) === readFileSync('package.json', 'utf8'),
      `status ${answer.status}`,
    )
  })
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
