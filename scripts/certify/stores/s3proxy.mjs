import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from '../install.mjs'
import { answers, freePort, serve } from '../shell.mjs'

const VERSION = '3.1.0'
const HERE = join(dirname(fileURLToPath(import.meta.url)), 's3proxy')

/** S3Proxy over a folder. */
export const s3proxy = {
  name: 's3proxy',
  label: 'S3Proxy',
  notes:
    'Its filesystem-nio2 provider, `s3proxy.ignore-unknown-headers=true` for current SDKs. Names are paths of files; it keeps no body of a name that ends in a slash. Of several PUTs with If-None-Match at once more than one goes through, so conditional writes are refused over it.',
  conditionalWrites: false,
  pathKeys: true,
  markers: false,
  install({ cache }) {
    const lib = build(cache, HERE, {
      needs: ['mvn'],
      sources: ['pom.xml', 'logback.xml'],
      product: 'lib',
      command: ['mvn', '-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime', '-DoutputDirectory=lib'],
    })
    return { lib }
  },
  async start({ folder }, { lib }) {
    const endpoint = `http://127.0.0.1:${await freePort()}`
    const [accessKey, secretKey] = ['certify', 'certify-secret']
    mkdirSync(join(folder, 'data'))
    const settings = {
      's3proxy.authorization': 'aws-v2-or-v4',
      's3proxy.endpoint': endpoint,
      's3proxy.identity': accessKey,
      's3proxy.credential': secretKey,
      's3proxy.ignore-unknown-headers': 'true',
      'jclouds.provider': 'filesystem-nio2',
      'jclouds.filesystem.basedir': join(folder, 'data'),
    }
    const file = join(folder, 's3proxy.conf')
    writeFileSync(
      file,
      Object.entries(settings)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const logback = `-Dlogback.configurationFile=${join(HERE, 'logback.xml')}`
    const server = await serve(
      'java',
      ['-Xmx512m', logback, '-cp', join(lib, '*'), 'org.gaul.s3proxy.Main', '--properties', file],
      {
        log: join(folder, 'log'),
        ready: () => answers(endpoint),
      },
    )
    return { endpoint, accessKey, secretKey, region: 'us-east-1', pathStyle: true, version: VERSION, stop: server.stop }
  },
}
