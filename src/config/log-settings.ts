/** Settings of the logs. */
import { z } from 'zod'
import { count, duration, path, secret, size, switchedOff } from './shapes.ts'

export const log = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], 'write trace, debug, info, warn, error or fatal')
    .default('info')
    .describe('Least level that is logged.'),
  access: z
    .union([z.enum(['json', 'clf', 'combined', 's3']), switchedOff], {
      error: 'write json, clf, combined, s3 or off',
    })
    .prefault('off')
    .describe(
      'A line for each request on the S3 listener: `json`, `clf` and `combined` as Apache writes them, `s3` as the server access log of Amazon S3, or `off`.',
    ),
  accessFile: path('Where the access log goes. Default: standard output.').optional(),
  accessRotateAt: size('64MiB', { least: '1MiB', most: '16GiB' }).describe(
    'Size at which `accessFile` is renamed to `accessFile.1`, and earlier ones to the next number.',
  ),
  accessKeep: count({ least: 0, most: 1_000 }).default(5).describe('How many such files are kept.'),
})

const url = z
  .string()
  .regex(/^https?:\/\/[^\s/@]+(\/[^\s?#]*)?$/, 'write a URL without a query, for example https://loki.internal:3100')

const label = z.string().regex(/^[^\p{Cc}\p{Surrogate}"\\]{1,128}$/u, 'write 1 to 128 printable characters')

const remote = {
  caFile: path('Certificates in PEM of the authorities that its certificate may come from.').optional(),
  timeout: duration('10s', { least: '100ms', most: '5m' }).describe('How long one delivery may take.'),
}

const login = {
  username: z.string().min(1).optional().describe('Name for basic authentication.'),
  password: secret('Its password.').optional(),
  token: secret('Bearer token, in place of a name.').optional(),
}

const sink = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('stdout').describe('`stdout`: standard output.'),
  }),
  z.strictObject({
    type: z.literal('syslog').describe('`syslog`: RFC 5424 over UDP, TCP or TLS.'),
    address: z
      .string()
      .regex(
        /^(udp|tcp|tls):\/\/(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):\d{1,5}$/,
        'write udp://, tcp:// or tls:// with host and port, for example tls://logs.internal:6514',
      )
      .describe('Where the receiver of syslog listens: `udp://…`, `tcp://…` or `tls://…`.'),
    appName: z
      .string()
      .regex(/^[\x21-\x7e]{1,48}$/, 'write 1 to 48 printable ASCII characters')
      .default('sealgate')
      .describe('APP-NAME of its messages.'),
    ...remote,
  }),
  z.strictObject({
    type: z.literal('loki').describe('`loki`: the push API of Grafana Loki.'),
    url: url.describe('Address of the server.'),
    labels: z
      .record(z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,63}$/, 'write a label name'), label)
      .default({ job: 'sealgate-audit' })
      .describe('Labels of the stream; `chain` is added.'),
    tenant: label.optional().describe('Tenant (`X-Scope-OrgID`).'),
    ...login,
    ...remote,
  }),
  z.strictObject({
    type: z.literal('elasticsearch').describe('`elasticsearch`: the bulk API of Elasticsearch or OpenSearch.'),
    url: url.describe('Address of the server.'),
    index: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,199}$/, 'write an index or a data stream in lower case')
      .default('sealgate-audit')
      .describe('Index or data stream.'),
    apiKey: secret('API key, in place of a name.').optional(),
    ...login,
    ...remote,
  }),
])

export const audit = z.strictObject({
  folder: path(
    'Folder for the audit log; it is off without one. Each process writes a chain of files of its own there.',
  ).optional(),
  reads: z
    .boolean('write true or false')
    .default(true)
    .describe('Whether reads that succeed are written too. What is refused or fails always is.'),
  policy: z
    .enum(['block', 'drop'], 'write block or drop')
    .default('drop')
    .describe(
      '`block`: no request is answered before its line is on the disk, and it fails with 503 if that cannot be. `drop`: a line that cannot be kept is counted, and no request waits.',
    ),
  rotateAt: size('64MiB', { least: '64KiB', most: '1GiB' }).describe(
    'Size at which a file is closed and another begun.',
  ),
  sinks: z
    .array(sink)
    .max(8)
    .default([])
    .describe('Where the lines are sent besides; the files are the buffer of each.'),
  buffer: size('256MiB', { least: '1MiB', most: '1TiB' }).describe(
    'How far behind a sink may be, in each process, before `policy` applies to it: requests fail, or the oldest lines are not sent.',
  ),
})
