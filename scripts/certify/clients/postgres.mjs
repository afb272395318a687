/** A PostgreSQL of our own for backup tools: its folder belongs to the user that runs it, since it refuses to run as root. */
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { debian } from '../install.mjs'
import { assert, attempt, freePort, sh, sleep } from '../shell.mjs'

const HOME = '/usr/lib/postgresql'

/** The folder of its programs, and its version. */
export function installPostgres(cx) {
  if (!existsSync(HOME)) debian(cx, '/usr/bin/pg_lsclusters', ['postgresql'])
  const version = readdirSync(HOME).sort((a, b) => b - a)[0]
  return { bin: join(HOME, version, 'bin'), version }
}

/** A folder below the system's temporary one, with a cluster in `data` that listens on loopback only. */
export async function makeCluster({ bin }) {
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-certify-pg-'))
  const uid = process.getuid() === 0 ? Number(sh('id', ['-u', 'postgres'])) : undefined
  const data = join(folder, 'data')
  const port = await freePort()
  const run = (file, args, options = {}) =>
    sh(file, args, { uid, cwd: folder, env: { HOME: folder }, minutes: 5, ...options })
  const own = (path) => uid !== undefined && chownSync(path, uid, uid)
  own(folder)
  run(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'])
  const cluster = {
    folder,
    data,
    port,
    run,
    own: (path) => void sh('chown', ['-R', String(uid ?? process.getuid()), path]),
    configure: (text) =>
      writeFileSync(
        join(data, 'postgresql.auto.conf'),
        `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = '${folder}'\nfsync = off\n${text}`,
      ),
    start: () => run(join(bin, 'pg_ctl'), ['-D', data, '-l', join(folder, 'postgres.log'), '-w', '-t', '60', 'start']),
    stop: () => attempt(join(bin, 'pg_ctl'), ['-D', data, '-m', 'fast', '-w', 'stop'], { uid, cwd: folder }),
    sql: (text) =>
      run('/usr/bin/psql', [
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-U',
        'postgres',
        '-qtAX',
        '-v',
        'ON_ERROR_STOP=1',
        '-c',
        text,
      ]).trim(),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
  return cluster
}

/** Some megabytes of rows that a leak would show, and what they must come back as. */
export function fill(cluster, name) {
  cluster.sql(
    `create table ${name} as select i, md5(i::text) || ' the row number ' || i as words from generate_series(1, 50000) i`,
  )
  return sums(cluster, name)
}

export const sums = (cluster, name) =>
  cluster.sql(`select count(*), sum(i), md5(string_agg(words, ',' order by i)) from ${name}`)

/** A cluster that recovers answers queries before it has replayed all WAL: wait for the end. */
export async function recovered(cluster) {
  const left = () => cluster.sql('select pg_is_in_recovery()') === 't'
  for (let tries = 0; tries < 60 && left(); tries += 1) await sleep(1000)
  assert(!left(), 'the recovery does not end')
}
