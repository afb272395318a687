/** A real KMIP server on loopback, PyKMIP, with mutual TLS and its keys in a file: it can be stopped, held and started anew. */
import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeCertificate } from './gateway.mjs'
import { python } from './install.mjs'
import { freePort, serve, sh } from './shell.mjs'

const ADMIN = join(dirname(fileURLToPath(import.meta.url)), 'kmip', 'admin.py')
const VERSION = '0.11.0'

export function installKmip({ cache }) {
  return { bin: python(cache, [`PyKMIP==${VERSION}`], 'python-kmip'), version: VERSION }
}

/** Starts it in `folder`, with a client that owns whatever it makes, and a wrapping key that both have. */
export async function startKmip(folder, bin) {
  mkdirSync(folder, { recursive: true })
  const own = makeCertificate(folder, 'kmip')
  const client = makeCertificate(folder, 'client', ['-addext', 'extendedKeyUsage=clientAuth'])
  /** One that the server knows and that owns nothing. */
  const guest = makeCertificate(folder, 'guest', ['-addext', 'extendedKeyUsage=clientAuth', '-subj', '/CN=guest'])
  const stranger = makeCertificate(folder, 'stranger', ['-addext', 'extendedKeyUsage=clientAuth'])
  const [conf, trusted, log] = ['server.conf', 'trusted.pem', 'kmip.log'].map((name) => join(folder, name))
  writeFileSync(trusted, [client, guest].map(({ cert }) => readFileSync(cert)).join(''))
  const port = await freePort()
  mkdirSync(join(folder, 'policy'))
  writeFileSync(conf, configuration({ folder, port, own, trusted }))
  let server
  const start = async () => {
    server = await serve(join(bin, 'pykmip-server'), ['-f', conf, '-l', join(folder, 'server.log')], {
      log,
      ready: () => listens(port),
    })
  }
  await start()
  const administrate = (what) => {
    const args = [ADMIN, '127.0.0.1', String(port), client.cert, client.key, own.cert]
    const output = sh(join(bin, 'python'), args, { input: `${JSON.stringify(what)}\n` })
    return JSON.parse(/^answer (.+)$/m.exec(output)?.[1] ?? 'null')
  }
  const wrapping = join(folder, 'wrapping-key')
  const hex = randomBytes(32).toString('hex')
  writeFileSync(wrapping, `${hex}\n`, { mode: 0o600 })
  administrate({ do: 'register', name: 'wrapping', hex })
  const files = join(folder, 'now')
  mkdirSync(files)
  /** The files that gateways read are those of this client from now on. */
  const use = ({ cert, key }) => {
    copyFileSync(cert, join(files, 'cert.pem'))
    copyFileSync(key, join(files, 'key.pem'))
  }
  use(client)
  const settings = {
    type: 'kmip',
    address: `127.0.0.1:${port}`,
    caFile: own.cert,
    certFile: join(files, 'cert.pem'),
    keyFile: join(files, 'key.pem'),
    wrappingKey: { name: 'wrapping', keyFile: wrapping },
  }
  return {
    port,
    log,
    settings,
    secrets: [hex],
    clients: { client, guest, stranger },
    use,
    /** An AES key of the server, by name; returns its id. */
    makeKey: (name, more = {}) => administrate({ do: 'create', name, ...more }),
    revoke: (id) => administrate({ do: 'revoke', id }),
    compromise: (id) => administrate({ do: 'compromise', id }),
    destroy: (id) => administrate({ do: 'destroy', id }),
    /** It holds still: connections are taken and nothing is answered. */
    hold: () => process.kill(server.pid, 'SIGSTOP'),
    release: () => process.kill(server.pid, 'SIGCONT'),
    start,
    /** At once: by itself it waits for its connections. */
    stop: async () => {
      for (const pid of family(server.pid)) process.kill(pid, 'SIGKILL')
      await server.stop()
    },
  }
}

/** The server has processes of its own, which it does not always take with it. */
function family(pid) {
  const file = `/proc/${pid}/task/${pid}/children`
  if (!existsSync(file)) return []
  const children = readFileSync(file, 'utf8').trim().split(' ').filter(Boolean)
  return [...children.flatMap((child) => family(Number(child))), pid]
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (answer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.on('connect', () => end(true)).on('error', () => end(false))
  })
}

const configuration = ({ folder, port, own, trusted }) => `[server]
hostname=127.0.0.1
port=${port}
certificate_path=${own.cert}
key_path=${own.key}
ca_path=${trusted}
auth_suite=TLS1.2
policy_path=${join(folder, 'policy')}
enable_tls_client_auth=True
logging_level=INFO
database_path=${join(folder, 'kmip.db')}
`
