/** Renders docs/errors.md from the table of S3 errors and the mapping of inner errors. */
import { Denied, Integrity, Internal, Invalid, type KeyFault, Unavailable } from '../../src/errors.ts'
import { toS3Error } from '../../src/http/failures.ts'
import { S3_ERRORS } from '../../src/s3/errors.ts'

/** What is wrong with a master key, each with an error and what to do. The type makes the list complete. */
const KEY_FAULT_TEXTS: Readonly<Record<KeyFault, readonly [string, string]>> = {
  disabled: [
    'the key manager has the master key, or the version of it that is needed, and it is disabled',
    'Enable it again, or leave it so: this is how access is withdrawn. Objects are readable again as soon as it is enabled.',
  ],
  missing: [
    'the key manager has no such master key',
    'The log says where it was looked for. A key that was deleted for good takes what it sealed with it.',
  ],
  'wrong-state': [
    'the master key is about to be deleted, or in another state in which it cannot be used',
    'Cancel the deletion while that is possible.',
  ],
}

const KEY_FAULTS = Object.entries(KEY_FAULT_TEXTS).map(
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the names of the record are of that type
  ([key, [when, remedy]]) => [new Denied('', { key: key as KeyFault }), when, remedy] as const,
)

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
  ...KEY_FAULTS,
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
  'audit chain failure': 'of `sealgate audit verify`: lines of the audit log were changed, removed, inserted or moved',
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
