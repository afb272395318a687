import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { debian } from '../install.mjs'
import { freePort, sh, sleep } from '../shell.mjs'

const PACKAGES = ['radosgw', 'ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph-common']
const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), 'radosgw.sh')

/** Ceph's radosgw over a whole cluster of one monitor, one manager and one OSD in memory, of Debian's version. */
export const ceph = {
  name: 'ceph',
  label: 'Ceph RGW',
  notes: 'One OSD, in memory. This version ignores If-None-Match on PUT, so conditional writes are refused over it.',
  conditionalWrites: false,
  install: (cx) => ({ bin: debian(cx, '/usr/bin/radosgw', PACKAGES) }),
  async start({ folder }, { bin }) {
    const cluster = join(folder, 'cluster')
    const [port, monitor] = [await freePort(), await freePort()]
    const [accessKey, secretKey] = ['certify', 'certify-secret']
    const stop = () => stopAll(cluster)
    try {
      sh('bash', [SCRIPT, cluster, String(port), String(monitor), accessKey, secretKey], { minutes: 3 })
    } catch (error) {
      await stop()
      throw error
    }
    const version = /ceph version (\S+)/.exec(sh(bin, ['--version']))[1]
    return {
      endpoint: `http://127.0.0.1:${port}`,
      accessKey,
      secretKey,
      region: 'us-east-1',
      pathStyle: true,
      version,
      stop,
    }
  },
}

const alive = (pid) => existsSync(`/proc/${pid}`)

/** Its daemons detach themselves and leave their process ids in files. */
async function stopAll(cluster) {
  if (!existsSync(cluster)) return
  const files = readdirSync(cluster).filter((name) => name.endsWith('.pid'))
  const pids = files
    .map((name) => Number(readFileSync(join(cluster, name), 'utf8')))
    .filter((pid) => pid > 1 && alive(pid))
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    for (const pid of pids.filter(alive)) process.kill(pid, signal)
    for (let tries = 0; tries < 100 && pids.some(alive); tries += 1) await sleep(100)
  }
}
