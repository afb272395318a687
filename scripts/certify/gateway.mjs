/** A gateway of this checkout in a process of its own, state and data in a fresh folder, over the embedded store or a remote one. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { serve, sh } from './shell.mjs'

/** What tells a gateway to keep its objects at `store`; nothing for the embedded one. */
function backendEnv(store) {
  if (store.embedded) return {}
  return {
    SEALGATE_BACKEND_TYPE: 's3',
    SEALGATE_BACKEND_ENDPOINT: store.endpoint,
    SEALGATE_BACKEND_REGION: store.region,
    SEALGATE_BACKEND_PROFILE: store.name,
    AWS_ACCESS_KEY_ID: store.accessKey,
    AWS_SECRET_ACCESS_KEY: store.secretKey,
  }
}

/** Starts it; with `tls` it serves HTTPS with a certificate of its own for `localhost`, `env` are further settings. */
export async function startGateway(cache, store, { tls = false, env = {} } = {}) {
  const folder = mkdtempSync(join(cache, 'gateway-'))
  const data = env.SEALGATE_DATA ?? join(folder, 'data')
  const certificate = tls ? makeCertificate(folder) : undefined
  const settings = {
    SEALGATE_DATA: data,
    SEALGATE_SERVER_LISTEN: '127.0.0.1:0',
    SEALGATE_ADMIN_LISTEN: 'off',
    ...(certificate && {
      SEALGATE_SERVER_TLS_CERT_FILE: certificate.cert,
      SEALGATE_SERVER_TLS_KEY_FILE: certificate.key,
    }),
    ...backendEnv(store),
    ...env,
  }
  const log = join(folder, 'gateway.log')
  const remove = () => rmSync(folder, { recursive: true, force: true })
  let endpoint
  const server = await serve(process.execPath, ['bin/sealgate.mjs', 'serve'], {
    env: settings,
    log,
    ready: (text) => (endpoint = /ready at (https?:\/\/\S+)/.exec(text)?.[1]) !== undefined,
  }).catch((error) => {
    remove()
    throw error
  })
  const credentialsFile = join(data, 'aws-credentials')
  const text = readFileSync(credentialsFile, 'utf8')
  const value = (name) => new RegExp(`${name} = (\\S+)`).exec(text)?.[1] ?? ''
  return {
    endpoint,
    host: new URL(endpoint).host,
    data,
    folder,
    log,
    credentialsFile,
    ca: certificate?.cert,
    /** Settings of the same gateway, for commands that open its store. */
    env: { ...settings, SEALGATE_SERVER_LISTEN: new URL(endpoint).host },
    accessKey: value('aws_access_key_id'),
    secretKey: value('aws_secret_access_key'),
    stop: async () => {
      await server.stop()
      remove()
    },
  }
}

/** A certificate for loopback that signs itself, and its key, in files of that name; `more` are further arguments of openssl. */
export function makeCertificate(folder, name = 'server', more = []) {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  sh('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
    ...more,
  ])
  return { cert, key }
}
