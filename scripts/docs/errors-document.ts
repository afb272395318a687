/** Renders docs/errors.md from the table of S3 errors and the mapping of inner errors. */
import { Denied, Integrity, Internal, Invalid, Unavailable } from '../../src/errors.ts'
import { toS3Error } from '../../src/http/failures.ts'
import { S3_ERRORS } from '../../src/s3/errors.ts'

const INNER: readonly (readonly [Error, string, string])[] = [
  [
    new Unavailable(''),
    'a backend, a key manager, the state store or the disk does not answer or has no room',
    'Retry. The log names the dependency; `/readyz` shows it.',
  ],
  [
    new Invalid(''),
    'the request or the settings are wrong in a way that only shows while it runs',
    'Correct them; repeating will not help. The log says what is wrong.',
  ],
  [
    new Denied(''),
    'the backend or a key manager refuses the gateway',
    'Give the credential of the gateway the rights that the log names.',
  ],
  [
    new Integrity('payload failure', ''),
    'stored data is not what was written: damaged, exchanged, truncated, or under another key',
    'Restore the object. The log names the layer that refused; clients see one face for all of them.',
  ],
  [new Internal(''), 'a promise inside the program is broken', 'Report it, with the lines of the log.'],
]

/** Every layer, in the words of the log. The type makes the list complete and free of others. */
const LAYERS: Readonly<Record<Integrity['layer'], string>> = {
  'envelope failure': 'the envelope is missing or ill-formed',
  'unwrap failure': 'the key is not the one that wrapped the object, or the object was moved to another name',
  'commitment failure': 'the header of the data does not commit to the key',
  'metadata failure': 'the sealed metadata does not open, or is that of another object',
  'tail failure': 'the tail record does not open, or does not fit the object',
  'payload failure': 'a piece of the data does not open',
  'size mismatch': 'the stored size is not that of the plaintext size',
}

const describe = (error: Error): string => {
  const { code, status } = toS3Error(error)
  return `${status} \`${code}\``
}

/** The whole of docs/errors.md. */
export const renderErrors = (): string => `# Errors

This file is made by \`npm run docs\` from the two error tables (\`src/s3/errors.ts\`, \`src/errors.ts\`); do not edit it by hand.

Every refused request leaves one line in the log with the request id that the client has in \`x-amz-request-id\` and in the
error document. Causes are in the log and never in the answer.

## Inner errors

What goes wrong behind the protocol, and what the client is told about it.

| kind | when | the client gets | what to do |
|---|---|---|---|
${INNER.map(([error, when, remedy]) => `| \`${error.name}\` | ${when} | ${describe(error)} | ${remedy} |`).join('\n')}

After the first byte of a body has been sent there is no status left to change: the connection is cut, so that the client
sees fewer bytes than promised.

Layers of \`Integrity\` in the log:

| layer | meaning |
|---|---|
${Object.entries(LAYERS)
  .map(([layer, meaning]) => `| ${layer} | ${meaning} |`)
  .join('\n')}

## S3 errors

| code | status | message |
|---|---|---|
${Object.entries(S3_ERRORS)
  .map(([code, [status, message]]) => `| \`${code}\` | ${status} | ${message} |`)
  .join('\n')}
`
