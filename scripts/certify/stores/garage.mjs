import { existsSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { answers, freePort, has, serve, sh } from '../shell.mjs'

const VERSION = '2.5.0'

/** Garage, one node, built from crates.io (a quarter of an hour and more). */
export const garage = {
  name: 'garage',
  label: 'Garage',
  notes: 'One node, SQLite. It ignores If-None-Match on PUT, so conditional writes are refused over it.',
  conditionalWrites: false,
  install({ cache }) {
    const root = join(cache, 'cargo')
    const bin = join(root, 'bin', 'garage')
    if (existsSync(bin)) return { bin }
    if (!has('cargo')) throw new Error('there is no cargo on this machine')
    const features = ['--no-default-features', '--features', 'sqlite,bundled-libs']
    const args = ['-n', '19', 'cargo', 'install', `garage@${VERSION}`, '--locked', '-j1', '--root', root, ...features]
    sh('nice', args, { minutes: 120 })
    return { bin }
  },
  async start({ folder }, { bin }) {
    const [s3, rpc, admin] = [await freePort(), await freePort(), await freePort()]
    const file = join(folder, 'garage.toml')
    writeFileSync(file, configuration(folder, { s3, rpc, admin }))
    const env = { GARAGE_CONFIG_FILE: file }
    const garage = (...args) => sh(bin, args, { env })
    const server = await serve(bin, ['server'], {
      env,
      log: join(folder, 'log'),
      ready: () => answers(`http://127.0.0.1:${s3}/`),
    })
    try {
      const id = garage('node', 'id', '-q').trim().split('\n').at(-1).split('@')[0]
      garage('layout', 'assign', '-z', 'dc1', '-c', '10G', id)
      garage('layout', 'apply', '--version', '1')
      const key = garage('key', 'create', 'certify')
      garage('key', 'allow', '--create-bucket', 'certify')
      const value = (name) => new RegExp(`${name}:\\s+(\\S+)`).exec(key)[1]
      const [accessKey, secretKey] = [value('Key ID'), value('Secret key')]
      return {
        endpoint: `http://127.0.0.1:${s3}`,
        accessKey,
        secretKey,
        region: 'us-east-1',
        pathStyle: true,
        version: VERSION,
        stop: server.stop,
      }
    } catch (error) {
      await server.stop()
      throw error
    }
  },
}

const configuration = (folder, { s3, rpc, admin }) => `metadata_dir = "${folder}/meta"
data_dir = "${folder}/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:${rpc}"
rpc_public_addr = "127.0.0.1:${rpc}"
rpc_secret = "${randomBytes(32).toString('hex')}"
[s3_api]
s3_region = "us-east-1"
api_bind_addr = "127.0.0.1:${s3}"
root_domain = ".s3.garage.localhost"
[admin]
api_bind_addr = "127.0.0.1:${admin}"
admin_token = "${randomBytes(16).toString('hex')}"
`
