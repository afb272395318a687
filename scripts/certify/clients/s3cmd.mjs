/** s3cmd. Its presigned URLs are of SigV2, which the gateway refuses. */
import { debian } from '../install.mjs'
import { sh } from '../shell.mjs'
import { transferChecks } from './transfers.mjs'

const AT = 's3://s3cmd-checks'

export const s3cmd = {
  name: 's3cmd',
  label: 's3cmd',
  notes: 'Its presigned URLs are of SigV2, which the gateway does not speak: not part of the checks.',
  install(cx) {
    const bin = debian(cx, '/usr/bin/s3cmd', ['s3cmd'])
    return { bin, version: sh(bin, ['--version']).trim().split(' ').at(-1) }
  },
  run(cx, { bin }) {
    const { host, accessKey, secretKey } = cx.gateway
    const how = [
      '-c',
      '/dev/null',
      `--host=${host}`,
      `--host-bucket=${host}`,
      '--no-ssl',
      '--region=us-east-1',
      '--no-progress',
    ]
    const keys = [`--access_key=${accessKey}`, `--secret_key=${secretKey}`, '--multipart-chunk-size-mb=5']
    const run = (...args) => sh(bin, [...how, ...keys, ...args])
    const copied = (output) =>
      output
        .split('\n')
        .filter((line) => /^(upload|download|remote copy|delete):/.test(line))
        .join('\n')
    return transferChecks(cx, {
      make: () => run('mb', AT),
      put: (file, key) => run('put', file, `${AT}/${key}`),
      get: (key, file) => run('get', '--force', `${AT}/${key}`, file),
      list: () => run('ls', `${AT}/`),
      copy: (from, to) => run('cp', `${AT}/${from}`, `${AT}/${to}`),
      remove: (key) => run('del', `${AT}/${key}`),
      sync: (folder, prefix) => copied(run('sync', `${folder}/`, `${AT}/${prefix}/`)),
      syncBack: (prefix, folder) => copied(run('sync', `${AT}/${prefix}/`, `${folder}/`)),
    })
  },
}
