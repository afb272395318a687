/** pgBackRest over HTTPS: stanza, full and incremental backup, verify, restore of a real PostgreSQL that archives its WAL by itself. */
import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { debian } from '../install.mjs'
import { assert, sh } from '../shell.mjs'
import { fill, installPostgres, makeCluster, recovered, sums } from './postgres.mjs'

const BUCKET = 'pgbackrest-checks'

const configuration = ({ accessKey, secretKey, endpoint }, { folder, data, port }) => `[global]
repo1-type=s3
repo1-path=/repository
repo1-s3-bucket=${BUCKET}
repo1-s3-endpoint=localhost
repo1-storage-port=${new URL(endpoint).port}
repo1-storage-ca-file=${folder}/ca.crt
repo1-s3-uri-style=path
repo1-s3-region=us-east-1
repo1-s3-key=${accessKey}
repo1-s3-key-secret=${secretKey}
repo1-retention-full=2
log-path=${folder}
lock-path=${folder}/lock
spool-path=${folder}/spool
start-fast=y
[main]
pg1-path=${data}
pg1-port=${port}
pg1-socket-path=${folder}
pg1-user=postgres
`

export const pgbackrest = {
  name: 'pgbackrest',
  label: 'pgBackRest',
  notes: 'It speaks HTTPS only: the gateway has a certificate of its own in these cells.',
  tls: true,
  cannot: ({ bare }) => (bare ? 'it speaks HTTPS only' : undefined),
  install(cx) {
    const postgres = installPostgres(cx)
    const bin = debian(cx, '/usr/bin/pgbackrest', ['pgbackrest'])
    return { bin, postgres, version: sh(bin, ['version']).trim().split(' ').at(-1) }
  },
  async run(cx, { bin, postgres }) {
    const client = connect(cx.gateway)
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
    const cluster = await makeCluster(postgres)
    try {
      const config = join(cluster.folder, 'pgbackrest.conf')
      writeFileSync(config, configuration(cx.gateway, cluster))
      copyFileSync(cx.gateway.ca, join(cluster.folder, 'ca.crt'))
      cluster.own(cluster.folder)
      const run = (...args) =>
        cluster.run(bin, [`--config=${config}`, '--stanza=main', '--log-level-console=warn', ...args])
      cluster.configure(
        `archive_mode = on\narchive_command = '${bin} --config=${config} --stanza=main archive-push %p'\n`,
      )
      cluster.start()
      await backupAndRestore(cx, cluster, run)
    } finally {
      cluster.stop()
      cluster.remove()
    }
  },
}

async function backupAndRestore({ check }, cluster, run) {
  const expected = { before: fill(cluster, 'before') }
  await check('stanza-create and check', () => {
    run('stanza-create')
    run('check')
  })
  await check('full backup', () => void run('--type=full', 'backup'))
  expected.between = fill(cluster, 'between')
  await check('incremental backup', () => void run('--type=incr', 'backup'))
  expected.after = fill(cluster, 'after')
  await check('info names both, verify finds nothing wrong', () => {
    cluster.sql('select pg_switch_wal()')
    run('check')
    const [{ status, backup }] = JSON.parse(run('--output=json', 'info'))
    assert(status.code === 0 && backup.length === 2, JSON.stringify(status))
    const said = run('verify')
    assert(!/ERROR|missing|invalid: [1-9]/.test(said), said)
  })
  cluster.stop()
  rmSync(cluster.data, { recursive: true })
  await check('restore, and recovery with the WAL from the archive', async () => {
    run('restore')
    cluster.start()
    await recovered(cluster)
    for (const [name, sum] of Object.entries(expected))
      assert(sums(cluster, name) === sum, `table ${name} is not what it was`)
  })
}
