/** s3fs: a mounted bucket, files written, read at offsets, renamed and removed through the file system. */
import { closeSync, existsSync, mkdirSync, openSync, readSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { debian } from '../install.mjs'
import { assert, sh } from '../shell.mjs'
import { probeFile } from '../tree.mjs'

const BUCKET = 's3fs-checks'

export const s3fs = {
  name: 's3fs',
  label: 's3fs (FUSE)',
  cannot: (_, { markers }) =>
    markers === false ? 'its directories are objects `name/`, of which this store keeps no body' : undefined,
  install(cx) {
    if (!existsSync('/dev/fuse')) throw new Error('there is no /dev/fuse on this machine')
    debian(cx, '/usr/bin/fusermount', ['fuse'])
    const bin = debian(cx, '/usr/bin/s3fs', ['s3fs'])
    return { bin, version: /V([\d.]+)/.exec(sh(bin, ['--version']))[1] }
  },
  async run(cx, { bin }) {
    const { gateway, check } = cx
    const client = connect(gateway)
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
    const [passwords, mount] = [join(gateway.folder, 's3fs-passwords'), join(gateway.folder, 'mount')]
    writeFileSync(passwords, `${gateway.accessKey}:${gateway.secretKey}\n`, { mode: 0o600 })
    mkdirSync(mount)
    const options = [
      `passwd_file=${passwords}`,
      `url=${gateway.endpoint}`,
      'use_path_request_style',
      'multipart_size=5',
      'retries=1',
    ]
    const start = () => sh(bin, [BUCKET, mount, ...options.flatMap((one) => ['-o', one])], { minutes: 1 })
    await check('mount', () => void start())
    try {
      await fileChecks(cx, mount)
      await check('unmount, mount again, the files are the same', () => {
        sh('fusermount', ['-u', mount])
        start()
        sh('cmp', [probeFile(cx), join(mount, 'dir', 'renamed')])
      })
    } finally {
      sh('fusermount', ['-u', '-z', mount])
    }
  },
}

async function fileChecks(cx, mount) {
  const { check } = cx
  const probe = probeFile(cx)
  await check('a directory and a small file in it', () => {
    mkdirSync(join(mount, 'dir'))
    writeFileSync(join(mount, 'dir', 'ünï.txt'), 'small')
    assert(readFileSync(join(mount, 'dir', 'ünï.txt'), 'utf8') === 'small', 'the bytes differ')
    assert(readdirSync(join(mount, 'dir')).join() === 'ünï.txt', 'the directory lists something else')
  })
  await check('a file in several parts, the same bytes back', () => {
    sh('cp', [probe, join(mount, 'probe')])
    sh('cmp', [probe, join(mount, 'probe')])
  })
  await check('a read at an offset', () => {
    const file = openSync(join(mount, 'probe'), 'r')
    const bytes = Buffer.alloc(1000)
    readSync(file, bytes, 0, 1000, 8_000_000)
    closeSync(file)
    assert(bytes.equals(readFileSync(probe).subarray(8_000_000, 8_001_000)), 'the bytes differ')
  })
  await check('append, truncate, change of mode', () => {
    const path = join(mount, 'dir', 'changing')
    writeFileSync(path, 'one')
    writeFileSync(path, 'two', { flag: 'a' })
    assert(readFileSync(path, 'utf8') === 'onetwo', 'append')
    sh('truncate', ['-s', '2', path])
    sh('chmod', ['600', path])
    assert(readFileSync(path, 'utf8') === 'on' && sh('stat', ['-c', '%a', path]).trim() === '600', 'truncate or mode')
  })
  await check('rename and remove', () => {
    sh('mv', [join(mount, 'probe'), join(mount, 'dir', 'renamed')])
    sh('rm', [join(mount, 'dir', 'changing')])
    assert(!existsSync(join(mount, 'probe')) && !existsSync(join(mount, 'dir', 'changing')), 'they are still there')
  })
}
