/**
 * The settings: one strict schema with types, defaults, bounds and the text of docs/configuration.md. It holds only what is
 * built. Durations come out as milliseconds, sizes as bytes.
 *
 * A string marked `secret` may be given as `x`, or as `xFile` naming the file that holds it; `secrets.ts` reads the file
 * before the schema sees the value, so that only `x` exists here.
 */
import { z } from 'zod'
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from './units.ts'

interface Bounds {
  readonly least: string
  readonly most: string
}

function duration(defaultText: string, { least, most }: Bounds) {
  return quantity(DURATION_PATTERN, parseDuration, { least, most, example: '30s, 15m, 24h or 7d' }).prefault(
    defaultText,
  )
}

function size(defaultText: string, { least, most }: Bounds) {
  return quantity(SIZE_PATTERN, parseSize, { least, most, example: '64MiB or 5GiB' }).prefault(defaultText)
}

/** A number with a unit between two bounds, which are written in units themselves. */
function quantity(
  pattern: RegExp,
  parse: (text: string) => number | undefined,
  rule: Bounds & { readonly example: string },
) {
  const least = parse(rule.least) ?? 0
  const most = parse(rule.most) ?? Number.MAX_SAFE_INTEGER
  const hint = `write a number and a unit from ${rule.least} to ${rule.most}, for example ${rule.example}`
  return z
    .string(hint)
    .regex(pattern, { error: hint, abort: true })
    .transform((text) => parse(text) ?? Number.NaN)
    .refine((value) => value >= least && value <= most, hint)
}

function count({ least, most }: { readonly least: number; readonly most: number }) {
  const hint = `write a whole number from ${least} to ${most}`
  return z.int(hint).min(least, hint).max(most, hint)
}

function listenAddress(defaultText: string) {
  return hostAndPort.prefault(defaultText)
}

const hostAndPort = z
  .string('write host:port')
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/, {
    error: 'write host:port, for example 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080',
    abort: true,
  })
  .transform((text) => {
    const colon = text.lastIndexOf(':')
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
  })
  .refine(({ port }) => port <= 65_535, 'a port is at most 65535')

/** YAML 1.2 reads `off` as a word and `false` as a boolean; both mean the same here. */
const switchedOff = z.union([z.literal('off'), z.literal(false)]).transform(() => false as const)

const path = (description: string) => z.string().min(1, 'name a path').describe(description)
const secret = (description: string, schema: z.ZodString = z.string().min(1, 'it is empty')) =>
  schema.meta({ description, secret: true })

const domainName = z
  .string()
  .regex(/^(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'write a lower-case domain name, for example s3.example.internal')

const tls = z.strictObject({
  certFile: path('Certificate chain in PEM. With it and `keyFile` the listener serves HTTPS.'),
  keyFile: path('Private key of `certFile` in PEM.'),
})

const server = z.strictObject({
  listen: listenAddress('127.0.0.1:8080').describe('Address of the S3 listener; port 0 takes any free port.'),
  domain: z
    .union([domainName.transform((name) => [name]), z.array(domainName)], {
      error: 'write a lower-case domain name, or a list of them, for example s3.example.internal',
    })
    .prefault([])
    .describe(
      'Domain, or list of domains, below which buckets are addressed as hosts (`bucket.s3.example.internal`). Path-style addressing always works.',
    ),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,63}$/, 'write a region, for example eu-central-1')
    .optional()
    .describe('The only region that signatures may be made for. Without it any region is accepted.'),
  tls: tls.optional().describe('Serve HTTPS. Without it the listener speaks HTTP.'),
  headerTimeout: duration('30s', { least: '1s', most: '10m' }).describe(
    'How long a client may take to send the headers of a request.',
  ),
  idleTimeout: duration('2m', { least: '1s', most: '1h' }).describe(
    'How long a transfer may be silent in either direction. There is no limit on its whole duration.',
  ),
  keepAliveTimeout: duration('75s', { least: '1s', most: '1h' }).describe(
    'How long an unused connection stays open. Keep it above the idle time of a load balancer in front.',
  ),
  maxHeaderBytes: size('16KiB', { least: '8KiB', most: '64KiB' }).describe('Longest request line and headers.'),
  maxXmlBytes: size('8MiB', { least: '1MiB', most: '64MiB' }).describe(
    'Longest XML request document (DeleteObjects, CompleteMultipartUpload).',
  ),
  shutdownGrace: duration('30s', { least: '0s', most: '24h' }).describe(
    'How long requests under way may go on after a stop was asked for.',
  ),
  workers: count({ least: 1, most: 256 })
    .default(1)
    .describe('Processes that share the listening port. One per core uses the machine.'),
})

const admin = z.strictObject({
  listen: z
    .union([switchedOff, hostAndPort], { error: 'write host:port, for example 127.0.0.1:8081, or off' })
    .prefault('127.0.0.1:8081')
    .describe('Address of the admin listener (`/healthz`, `/readyz`), or `off`. Keep it away from clients.'),
})

const storeType = z.enum(['local', 'memory'], 'write local or memory')

const backend = z.strictObject({
  type: storeType
    .default('local')
    .describe('`local` keeps sealed objects in a folder, `memory` forgets them at the end of the process.'),
  path: path('Folder of a `local` backend. Default: `objects` inside `data`.').optional(),
})

const state = z.strictObject({
  type: storeType.optional().describe('As `backend.type`. Default: `local`, or `memory` if the backend is.'),
  path: path('Folder of a `local` state store. Default: `state` inside `data`.').optional(),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'write a bucket name')
    .default('sealgate-state')
    .describe('Bucket for uploads in progress and the keyring.'),
  prefix: z
    .string()
    .regex(/^([^/]+\/)*$/, 'a prefix is empty or ends with /')
    .default('')
    .describe('Put before every name in that bucket; ends with `/`.'),
})

const alias = z.string().regex(/^[a-z0-9-]{1,15}$/, 'an alias is 1 to 15 characters of a-z, 0-9 and -')

const localManager = z.strictObject({
  type: z.literal('local').describe('`local`: master keys that Sealgate holds itself.'),
  file: path('The master keys file, made on first start. Default: `master-keys.json` inside `data`.').optional(),
  keys: secret('The content of a master keys file, in place of `file`.').optional(),
  passphrase: secret(
    'Derives the master keys (scrypt) instead of keeping them in the file.',
    z.string().min(12, 'use at least 12 characters'),
  ).optional(),
})
const memoryManager = z.strictObject({
  type: z
    .literal('memory')
    .describe('`memory`: a master key that is lost when the process ends. Only with a `memory` backend.'),
})

const keys = z.strictObject({
  active: alias.default('local').describe('Alias of the key manager that wraps new bucket keys.'),
  managers: z
    .record(
      alias,
      z.discriminatedUnion('type', [localManager, memoryManager], {
        error: 'write a map whose `type` is local or memory',
      }),
    )
    .default({ local: { type: 'local' } })
    .describe('Key managers by alias. The alias is written into every object: never rename one.'),
  bucketKey: z
    .strictObject({
      lifetime: duration('24h', { least: '1h', most: '30d' }).describe('How long one bucket key seals new objects.'),
    })
    .prefault({}),
})

const bucketPattern = z
  .string()
  .regex(/^[A-Za-z0-9._*-]{1,255}$/, 'write a bucket name, where * stands for any characters')

const grant = z.strictObject({
  buckets: z
    .array(bucketPattern)
    .min(1, 'name at least one bucket, or "*"')
    .describe('Buckets by name; `*` stands for any characters.'),
  prefixes: z
    .array(z.string().min(1, 'leave `prefixes` out for all keys'))
    .default([])
    .describe('Only keys that begin with one of these. Default: all keys.'),
  actions: z
    .enum(['read-only', 'read-write'], 'write read-only or read-write')
    .describe('`read-only` or `read-write`.'),
})

const credential = z.strictObject({
  accessKey: z
    .string()
    .regex(/^[A-Za-z0-9._-]{3,128}$/, 'an access key is 3 to 128 characters of A-Z, a-z, 0-9, ., _ and -')
    .describe('Access key that clients sign with.'),
  secretKey: secret(
    'Its secret; this or `secretKeyFile` is required.',
    z.string().min(8, 'use at least 8 characters').max(256, 'use at most 256 characters'),
  ),
  allow: z
    .array(grant)
    .min(1, 'grant something, or remove the credential')
    .describe('What it may do; whatever no entry allows is denied.'),
})

const bucket = z.strictObject({
  match: bucketPattern.describe('Bucket by name; `*` stands for any characters. The first entry that matches counts.'),
  namespace: z
    .string()
    .regex(/^[^\p{Cc}\p{Surrogate}]{1,128}$/u, 'a namespace is 1 to 128 printable characters')
    .optional()
    .describe(
      'Stable name that the keys of the bucket are bound to, so that its data can move to a bucket of another name. Default: the name of the bucket. Changing it makes existing objects unreadable.',
    ),
  copy: z
    .enum(['rewrap', 'rekey'], 'write rewrap or rekey')
    .default('rewrap')
    .describe('Copies share the sealed body and its object key (`rewrap`), or are sealed anew (`rekey`).'),
})

const checksums = z.strictObject({
  default: z
    .enum(['small', 'always', 'none'], 'write small, always or none')
    .default('small')
    .describe(
      'When to compute a CRC64NVME for objects that come without a checksum: for `small` bodies that are gathered anyway, `always`, or `none`.',
    ),
  onGet: z
    .enum(['always', 'headers-only'], 'write always or headers-only')
    .default('always')
    .describe(
      'Whether a GET that asks for checksums may cost one more backend request (`always`) or only gets those at hand (`headers-only`).',
    ),
})

const limits = z.strictObject({
  gatherBytes: size('256MiB', { least: '16MiB', most: '1TiB' }).describe(
    'Memory for bodies that are gathered before they are sealed, in each worker.',
  ),
  connections: count({ least: 1, most: 1_000_000 })
    .default(4_096)
    .describe('Client connections open at once, in each worker.'),
})

const log = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], 'write trace, debug, info, warn, error or fatal')
    .default('info')
    .describe('Least level that is logged.'),
})

/** The whole schema; see the head of this file. Rules between fields are in `cross-checks.ts`. */
export const settingsSchema = z.strictObject({
  data: path(
    'Folder for what Sealgate makes itself: master keys, generated credentials, embedded backend, state.',
  ).default('./sealgate-data'),
  server: server.prefault({}).describe('The S3 listener.'),
  admin: admin.prefault({}).describe('The admin listener.'),
  backend: backend.prefault({}).describe('Where sealed objects are kept.'),
  state: state.prefault({}).describe('Where Sealgate keeps uploads in progress and the keyring.'),
  keys: keys.prefault({}).describe('Who guards the master keys.'),
  credentials: z
    .array(credential)
    .optional()
    .describe(
      'Who may use the S3 listener. Default: one credential, made on first start and kept in `aws-credentials` inside `data`.',
    ),
  buckets: z.array(bucket).default([]).describe('Settings of single buckets.'),
  checksums: checksums.prefault({}).describe('Checksums of objects.'),
  limits: limits.prefault({}).describe('What one process may use.'),
  log: log.prefault({}).describe('The log, JSON lines on standard error.'),
})

/** Settings after the schema, before defaults that depend on other settings. */
export type ParsedSettings = z.output<typeof settingsSchema>

export type StoreSettings = { readonly type: 'local'; readonly path: string } | { readonly type: 'memory' }

/** Complete settings, deeply frozen. Durations are milliseconds, sizes bytes. */
export type Settings = DeepReadonly<
  Omit<ParsedSettings, 'backend' | 'state'> & {
    backend: StoreSettings
    state: StoreSettings & { bucket: string; prefix: string }
  }
>

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T
