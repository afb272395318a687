/** rclone: sync there and back, converging, and `check --download`. */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { assert, has, sh } from './shell.mjs'

const MODULE = 'github.com/rclone/rclone@v1.76.0'

export async function rclone({ cache, tree, gateway, check, systemPackages }) {
  const bin = install(cache, systemPackages)
  const env = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_S3_PROVIDER: 'Other',
    RCLONE_S3_ENDPOINT: gateway.endpoint,
    RCLONE_S3_ACCESS_KEY_ID: gateway.accessKey,
    RCLONE_S3_SECRET_ACCESS_KEY: gateway.secretKey,
    RCLONE_S3_REGION: 'us-east-1',
    RCLONE_S3_FORCE_PATH_STYLE: 'true',
    AWS_CA_BUNDLE: undefined,
  }
  const run = (...args) => sh(bin, args, { env })
  const back = join(gateway.folder, 'rclone-back')
  const up = ['--s3-upload-cutoff', '16M', '--s3-chunk-size', '8M']
  await check('make a bucket', () => void run('mkdir', ':s3:rclone-tree'))
  await check(`sync of ${tree.files} files up`, () => void run('sync', ...up, tree.path, ':s3:rclone-tree/tree'))
  await check('a second sync up has nothing to do', () => nothing(run('sync', '-v', ...up, tree.path, ':s3:rclone-tree/tree')))
  await check('check --download finds no difference', () => void run('check', '--download', tree.path, ':s3:rclone-tree/tree'))
  await check('sync down', () => void run('sync', ':s3:rclone-tree/tree', back))
  await check('a second sync down has nothing to do', () => nothing(run('sync', '-v', ':s3:rclone-tree/tree', back)))
  await check('the trees are equal, byte for byte', () => void sh('diff', ['-r', tree.path, back]))
  rmSync(back, { recursive: true, force: true })
  return { version: run('version').split('\n')[0] }
}

function nothing(output) {
  assert(!/Copied|Deleted|Updated/.test(output), `the second sync did something:\n${output.slice(-2000)}`)
}

function install(cache, systemPackages) {
  const bin = join(cache, 'bin', 'rclone')
  if (existsSync(bin)) return bin
  if (has('go', ['version'])) {
    mkdirSync(join(cache, 'bin'), { recursive: true })
    sh('go', ['install', MODULE], { env: { GOBIN: join(cache, 'bin'), CGO_ENABLED: '0', GOFLAGS: '-trimpath' } })
    return bin
  }
  if (has('rclone', ['version'])) return 'rclone'
  if (systemPackages) {
    sh('apt-get', ['install', '-y', '--no-install-recommends', 'rclone'])
    return 'rclone'
  }
  throw new Error('there is neither Go nor rclone on this machine (`-- --system-packages` installs it by apt-get)')
}
