/** MinIO's client. */
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { goInstall } from '../install.mjs'
import { NOTE, noteAsTold } from '../note.mjs'
import { sh } from '../shell.mjs'
import { transferChecks } from './transfers.mjs'

const MODULE = 'github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9'
const AT = 'm/mc-checks'

export const mc = {
  name: 'mc',
  label: 'mc',
  install: ({ cache }) => ({ bin: goInstall(cache, 'mc', MODULE), version: '2025-03-13' }),
  run(cx, { bin }) {
    const { gateway } = cx
    const config = ['--config-dir', join(gateway.folder, 'mc'), '--quiet', '--no-color']
    const env = { MC_HOST_m: gateway.endpoint.replace('//', `//${gateway.accessKey}:${gateway.secretKey}@`) }
    const run = (...args) => sh(bin, [...config, ...args], { env })
    const copied = (output) =>
      output
        .split('\n')
        .filter((line) => line.includes('->'))
        .join('\n')
    return transferChecks(cx, {
      make: () => run('mb', AT),
      put: (file, key) => run('cp', file, `${AT}/${key}`),
      get: (key, file) => run('cp', `${AT}/${key}`, file),
      list: () => run('ls', '-r', '--json', AT),
      range: (key, first, last) =>
        spawnSync(bin, [...config, 'cat', '--offset', String(first), `${AT}/${key}`], {
          env: { ...process.env, ...env },
          maxBuffer: 2 ** 26,
        }).stdout.subarray(0, last - first + 1),
      copy: (from, to) => run('cp', `${AT}/${from}`, `${AT}/${to}`),
      remove: (key) => run('rm', `${AT}/${key}`),
      note: NOTE,
      noteTold: noteAsTold(cx),
      putNote: (file, key, note) => run('cp', '--attr', `note=${note}`, file, `${AT}/${key}`),
      head: (key) => run('stat', '--json', `${AT}/${key}`),
      share: (key) => JSON.parse(run('share', 'download', '--json', '--expire', '5m', `${AT}/${key}`)).share,
      sync: (folder, prefix) => copied(run('mirror', folder, `${AT}/${prefix}`)),
      syncBack: (prefix, folder) => copied(run('mirror', `${AT}/${prefix}`, folder)),
    })
  },
}
