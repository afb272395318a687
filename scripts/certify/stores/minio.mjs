import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { goInstall } from '../install.mjs'
import { answers, freePort, serve } from '../shell.mjs'

const MODULE = 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c'

/** MinIO, its last public source, one node on one disk. */
export const minio = {
  name: 'minio',
  label: 'MinIO',
  notes: 'One node, one disk. No `//` or `..` in names.',
  pathKeys: true,
  versions: true,
  install: ({ cache }) => ({ bin: goInstall(cache, 'minio', MODULE) }),
  async start({ folder }, { bin }) {
    const [port, console] = [await freePort(), await freePort()]
    const endpoint = `http://127.0.0.1:${port}`
    const [accessKey, secretKey] = ['certify', 'certify-secret']
    mkdirSync(join(folder, 'data'))
    const server = await serve(
      bin,
      ['server', join(folder, 'data'), '--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${console}`],
      {
        env: { MINIO_ROOT_USER: accessKey, MINIO_ROOT_PASSWORD: secretKey, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
        log: join(folder, 'log'),
        ready: () => answers(`${endpoint}/minio/health/live`),
      },
    )
    return {
      endpoint,
      accessKey,
      secretKey,
      region: 'us-east-1',
      pathStyle: true,
      version: '2026-02-12',
      stop: server.stop,
    }
  },
}
