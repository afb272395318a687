import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { goInstall } from '../install.mjs'
import { answers, freePort, serve } from '../shell.mjs'

const VERSION = '1.8.0'

/** The Versity gateway over a POSIX folder (its file system needs user attributes). */
export const versitygw = {
  name: 'versitygw',
  label: 'Versity S3 Gateway',
  notes:
    'Its POSIX backend. Names are paths of files; it refuses directory markers (`name/`) that have a body, and a sealed object always has one.',
  pathKeys: true,
  markers: false,
  install: ({ cache }) => ({
    bin: goInstall(cache, 'versitygw', `github.com/versity/versitygw/cmd/versitygw@v${VERSION}`),
  }),
  async start({ folder }, { bin }) {
    const address = `127.0.0.1:${await freePort()}`
    const [accessKey, secretKey] = ['certify', 'certify-secret']
    for (const name of ['data', 'iam', 'versions']) mkdirSync(join(folder, name))
    const server = await serve(
      bin,
      [
        '--port',
        address,
        '--iam-dir',
        join(folder, 'iam'),
        'posix',
        '--versioning-dir',
        join(folder, 'versions'),
        join(folder, 'data'),
      ],
      {
        env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
        log: join(folder, 'log'),
        ready: () => answers(`http://${address}/`),
      },
    )
    return {
      endpoint: `http://${address}`,
      accessKey,
      secretKey,
      region: 'us-east-1',
      pathStyle: true,
      version: VERSION,
      stop: server.stop,
    }
  },
}
