/** duplicity without encryption of its own: full and incremental backup, verify, restore. */
import { appendFileSync, cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { debian } from '../install.mjs'
import { assert, sh } from '../shell.mjs'
import { sdkEnv } from './program.mjs'

const BUCKET = 'duplicity-checks'

export const duplicity = {
  name: 'duplicity',
  label: 'duplicity',
  notes: 'With `--no-encryption`.',
  install(cx) {
    const bin = debian(cx, '/usr/bin/duplicity', ['duplicity', 'python3-boto3'])
    return { bin, version: sh(bin, ['--version']).trim().split(' ').at(-1) }
  },
  async run(cx, { bin }) {
    const { gateway, tree, check } = cx
    const client = connect(gateway)
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
    const [source, back, archive] = ['duplicity-source', 'duplicity-back', 'duplicity-archive'].map((name) =>
      join(gateway.folder, name),
    )
    mkdirSync(source)
    cpSync(tree.path, source, { recursive: true })
    const how = [
      '--no-encryption',
      '--s3-endpoint-url',
      gateway.endpoint,
      '--archive-dir',
      archive,
      '--volsize',
      '10',
      '--num-retries',
      '2',
    ]
    const target = `boto3+s3://${BUCKET}/backup`
    const run = (...args) =>
      sh(bin, [...args.slice(0, 1), ...how, ...args.slice(1)], { env: { ...sdkEnv(cx, ''), PATH: '/usr/bin:/bin' } })
    await check('a full backup in several volumes', () => void run('full', source, target))
    await check('an incremental backup', () => {
      appendFileSync(join(source, 'added'), 'later')
      const said = run('incremental', source, target)
      // The folder counts too, its time has changed.
      assert(/^NewFiles 2$/m.test(said), said.slice(-1000))
    })
    await check('verify with its data', () =>
      assert(/0 differences found/.test(run('verify', '--compare-data', target, source)), 'differences'),
    )
    await check('restore, the trees are equal', () => {
      run('restore', target, back)
      sh('diff', ['-r', source, back])
    })
    await check('collection status', () =>
      assert(
        /Number of contained backup sets: 2|Incremental/.test(run('collection-status', target)),
        'no incremental set',
      ),
    )
    for (const folder of [source, back, archive]) rmSync(folder, { recursive: true, force: true })
  },
}
