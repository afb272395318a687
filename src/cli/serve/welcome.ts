import { join, resolve } from 'node:path'
import { CREDENTIALS_FILE, credentialsOf } from '../../compose/live.ts'
import type { Settings } from '../../config/settings.ts'

/** What a new user needs next: endpoint, access key, where the secrets are, and lines to copy. */
export function welcome(settings: Settings, address: string): string {
  // Fastify does not know that the server it was given speaks TLS.
  const endpoint = settings.server.tls === undefined ? address : address.replace(/^http:/, 'https:')
  const accessKey = credentialsOf(settings)[0]?.accessKey ?? ''
  const keyFiles = Object.values(settings.keys.managers).flatMap((one) =>
    one.type === 'local' && one.file !== undefined ? [resolve(one.file)] : [],
  )
  const credentials = resolve(settings.data, CREDENTIALS_FILE)
  const own = settings.credentials === undefined
  const lines = [
    '',
    `  Sealgate is ready at ${endpoint}`,
    '',
    `  access key   ${accessKey}`,
    ...(own ? [`  secret       in ${credentials} (profile sealgate)`] : []),
    ...keyFiles.map((file) => `  master key   ${file}\n               Back this up: without it the data is lost.`),
    '',
    ...(own
      ? [
          '  Try it:',
          `    export AWS_SHARED_CREDENTIALS_FILE=${credentials} AWS_PROFILE=sealgate AWS_REGION=us-east-1`,
          `    aws --endpoint-url ${endpoint} s3 mb s3://first-bucket`,
          `    aws --endpoint-url ${endpoint} s3 cp ${join('.', 'README.md')} s3://first-bucket/`,
          '',
        ]
      : []),
    '  See that the store holds only ciphertext:',
    '    npx sealgate doctor',
    '',
  ]
  return lines.join('\n')
}
