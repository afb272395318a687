/** rclone: sync there and back, converging, and `check --download`. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { goInstall } from '../install.mjs'
import { NOTE, noteAsTold } from '../note.mjs'
import { assert, sh } from '../shell.mjs'
import { bigFile } from '../tree.mjs'

const VERSION = '1.76.0'

export const rclone = {
  name: 'rclone',
  label: 'rclone',
  notes:
    'Over a remote store with `use_multipart_etag = false`: ETags are opaque there. It shows metadata beyond ASCII as S3 tells it, in encoded words of RFC 2047.',
  install: ({ cache }) => ({
    bin: goInstall(cache, 'rclone', `github.com/rclone/rclone@v${VERSION}`),
    version: VERSION,
  }),
  run,
}

async function run(cx, { bin }) {
  const { tree, gateway, check } = cx
  const env = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_S3_PROVIDER: 'Other',
    RCLONE_S3_ENDPOINT: gateway.endpoint,
    RCLONE_S3_ACCESS_KEY_ID: gateway.accessKey,
    RCLONE_S3_SECRET_ACCESS_KEY: gateway.secretKey,
    RCLONE_S3_REGION: 'us-east-1',
    RCLONE_S3_FORCE_PATH_STYLE: 'true',
    // What fails is to fail here, not after half an hour of tries.
    RCLONE_RETRIES: '1',
    RCLONE_LOW_LEVEL_RETRIES: '2',
    // The ETag of a multipart upload is none of parts' MD5s over a remote store.
    ...(!cx.md5Etags && !cx.bare && { RCLONE_S3_USE_MULTIPART_ETAG: 'false' }),
    AWS_CA_BUNDLE: undefined,
  }
  const rclone = (...args) => sh(bin, args, { env })
  const back = join(gateway.folder, 'rclone-back')
  const up = ['--s3-upload-cutoff', '16M', '--s3-chunk-size', '8M']
  await check('make a bucket', () => void rclone('mkdir', ':s3:rclone-tree'))
  await check('sync of a tree up', () => void rclone('sync', ...up, tree.path, ':s3:rclone-tree/tree'))
  await check('a second sync up has nothing to do', () =>
    nothing(rclone('sync', '-v', ...up, tree.path, ':s3:rclone-tree/tree')),
  )
  await check(
    'check --download finds no difference',
    () => void rclone('check', '--download', tree.path, ':s3:rclone-tree/tree'),
  )
  await check('sync down', () => void rclone('sync', ':s3:rclone-tree/tree', back))
  await check('a second sync down has nothing to do', () => nothing(rclone('sync', '-v', ':s3:rclone-tree/tree', back)))
  await check('the trees are equal, byte for byte', () => void sh('diff', ['-r', tree.path, back]))
  rmSync(back, { recursive: true, force: true })
  const source = readFileSync('package.json')
  await check('metadata with non-ASCII characters', () => {
    rclone('copyto', '--metadata', '--metadata-set', `note=${NOTE}`, 'package.json', ':s3:rclone-tree/package.json')
    const [one] = JSON.parse(rclone('lsjson', '--metadata', ':s3:rclone-tree/package.json'))
    assert(one.Metadata.note === noteAsTold(cx), JSON.stringify(one))
  })
  const { path: big } = bigFile(cx)
  await check('multipart upload of a big file, and the same bytes back', () => {
    rclone('copyto', ...up, big, ':s3:rclone-tree/big')
    const copy = join(gateway.folder, 'big')
    rclone('copyto', ':s3:rclone-tree/big', copy)
    sh('cmp', [big, copy])
    rmSync(copy)
  })
  await check('a ranged read equals the source', () => {
    const out = rclone('cat', '--offset', '100', '--count', '50', ':s3:rclone-tree/package.json')
    assert(out === source.subarray(100, 150).toString(), `read ${JSON.stringify(out)}`)
  })
  await check('server-side copy and move, metadata kept', () => {
    rclone('copyto', '--metadata', ':s3:rclone-tree/package.json', ':s3:rclone-tree/copied')
    rclone('moveto', '--metadata', ':s3:rclone-tree/copied', ':s3:rclone-tree/moved')
    const [moved] = JSON.parse(rclone('lsjson', '--metadata', ':s3:rclone-tree/moved'))
    assert(moved.Metadata.note === noteAsTold(cx), JSON.stringify(moved))
    assert(!rclone('lsf', ':s3:rclone-tree').includes('copied'), 'the source of the move is still there')
  })
  await check('a presigned URL', async () => {
    const answer = await fetch(rclone('link', '--expire', '5m', ':s3:rclone-tree/package.json').trim())
    assert(answer.status === 200 && source.equals(Buffer.from(await answer.arrayBuffer())), `status ${answer.status}`)
  })
  await check('delete', () => {
    rclone('deletefile', ':s3:rclone-tree/moved')
    assert(!rclone('lsf', ':s3:rclone-tree').includes('moved'), 'it is still there')
  })
}

function nothing(output) {
  assert(!/Copied|Deleted|Updated/.test(output), `the second sync did something:\n${output.slice(-2000)}`)
}
