/** barman-cloud: WAL archive, base backup and restore of a real PostgreSQL, to a point after the backup. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { python } from '../install.mjs'
import { assert, sh, sleep } from '../shell.mjs'
import { fill, installPostgres, makeCluster, recovered, sums } from './postgres.mjs'
import { sdkEnv } from './program.mjs'

const VERSION = '3.19.1'
const BUCKET = 'barman-checks'

export const barman = {
  name: 'barman',
  label: 'barman-cloud',
  notes: 'Its commands are those that CloudNativePG runs. PostgreSQL hands its WAL over through a folder.',
  install(cx) {
    const postgres = installPostgres(cx)
    const bin = python(cx.cache, [`barman==${VERSION}`, 'boto3==1.44.5'], 'python-barman')
    return { bin, postgres, version: VERSION }
  },
  async run(cx, { bin, postgres }) {
    const client = connect(cx.gateway)
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
    const cluster = await makeCluster(postgres)
    const env = sdkEnv(cx, '')
    const barman = (name, ...args) =>
      sh(
        join(bin, `barman-cloud-${name}`),
        ['--cloud-provider', 'aws-s3', '--endpoint-url', cx.gateway.endpoint, ...args],
        { env },
      )
    try {
      await backupAndRestore(cx, cluster, barman)
    } finally {
      cluster.stop()
      cluster.remove()
    }
  },
}

async function backupAndRestore({ check }, cluster, barman) {
  const [spool, found] = ['spool', 'found'].map((name) => join(cluster.folder, name))
  for (const folder of [spool, found]) mkdirSync(folder)
  cluster.own(spool)
  cluster.configure(`archive_mode = on\narchive_command = 'cp %p ${spool}/%f'\n`)
  cluster.start()
  const url = `s3://${BUCKET}/base`
  const archive = async () => {
    cluster.sql('select pg_switch_wal()')
    await sleep(3000)
    for (const name of readdirSync(spool).sort()) {
      barman('wal-archive', '--gzip', url, 'main', join(spool, name))
      rmSync(join(spool, name))
    }
  }
  const expected = { before: fill(cluster, 'before') }
  await check('WAL archive', archive)
  await check(
    'base backup',
    () =>
      void barman(
        'backup',
        '--gzip',
        '-h',
        cluster.folder,
        '-p',
        String(cluster.port),
        '-U',
        'postgres',
        '--immediate-checkpoint',
        url,
        'main',
      ),
  )
  expected.after = fill(cluster, 'after')
  await check('more WAL after the backup', archive)
  let id
  await check('list of backups', () => {
    const { backups_list: list } = JSON.parse(barman('backup-list', '--format', 'json', url, 'main'))
    assert(list.length === 1 && list[0].status === 'DONE', JSON.stringify(list).slice(0, 500))
    id = list[0].backup_id
  })
  cluster.stop()
  rmSync(cluster.data, { recursive: true })
  await check('restore, and recovery with the WAL from the archive', async () => {
    barman('restore', url, 'main', id, cluster.data)
    fetchWal(barman, url, found)
    cluster.configure(`restore_command = 'cp ${found}/%f %p'\n`)
    writeFileSync(join(cluster.data, 'recovery.signal'), '')
    sh('chmod', ['700', cluster.data])
    cluster.own(cluster.data)
    cluster.start()
    await recovered(cluster)
    for (const [name, sum] of Object.entries(expected))
      assert(sums(cluster, name) === sum, `table ${name} is not what it was`)
  })
}

/** All segments of the first timeline that are in the archive, one by one until there is none. */
function fetchWal(barman, url, folder) {
  for (let n = 1; n < 100; n += 1) {
    const name = `0000000100000000000000${n.toString(16).toUpperCase().padStart(2, '0')}`
    try {
      barman('wal-restore', url, 'main', name, join(folder, name))
    } catch {
      assert(n > 2, 'the archive has not even two segments')
      return
    }
  }
}
