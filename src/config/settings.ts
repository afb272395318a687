/**
 * The settings: one strict schema with types, defaults, bounds and the text of docs/configuration.md. It holds only what is
 * built. Durations come out as milliseconds, sizes as bytes.
 *
 * A string marked `secret` may be given as `x`, or as `xFile` naming the file that holds it; `secrets.ts` reads the file
 * before the schema sees the value, so that only `x` exists here.
 */
import { z } from 'zod'
import { admin } from './admin-settings.ts'
import { audit, log } from './log-settings.ts'
import { corsRules, publicAccess, publicUrls } from './browser-settings.ts'
import { alias, keys } from './key-settings.ts'
import { metrics } from './metrics-settings.ts'
import { usageLimits } from './rate-settings.ts'
import { count, duration, listenAddress, path, quantity, region, secret, size, switchedOff } from './shapes.ts'
import { backend, state, type StoreSettings } from './store-settings.ts'
import { telemetry } from './telemetry-settings.ts'
import { DURATION_PATTERN, parseDuration } from './units.ts'

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
  publicUrls,
  cors: corsRules
    .default([])
    .describe(
      'Cross-origin rules for buckets that have none of their own, neither by PutBucketCors nor in `buckets[].cors`.',
    ),
  region: region
    .optional()
    .describe('The only region that signatures may be made for. Without it any region is accepted.'),
  tls: tls.optional().describe('Serve HTTPS. Without it the listener speaks HTTP.'),
  customerKeysOverHttp: z
    .boolean('write true or false')
    .default(false)
    .describe(
      "Take customers' keys (SSE-C) from requests over plain HTTP. S3 refuses them; set it only where a proxy in front of the listener speaks TLS with the clients.",
    ),
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
  workers: z
    .union([z.literal('auto'), count({ least: 1, most: 256 })], {
      error: 'write a whole number from 1 to 256, or auto',
    })
    .default(1)
    .describe('Processes that share the listening port; `auto` runs one for each core.'),
})

const abandonedHint = 'write a number and a unit from 1h to 365d, for example 24h or 7d, or off'

const uploads = z.strictObject({
  abandonedAfter: z
    .union([switchedOff, quantity(DURATION_PATTERN, parseDuration, { least: '1h', most: '365d', example: '7d' })], {
      error: abandonedHint,
    })
    .prefault('7d')
    .describe(
      'A multipart upload in which nothing has changed for so long is aborted, here and at the backend, or `off`. A part counts once it has arrived: leave more time than the slowest takes.',
    ),
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
    .describe(
      'Only keys that begin with one of these, and none with a `..` between slashes, which leads out of them where a store takes names for paths. Default: all keys.',
    ),
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
  limits: usageLimits
    .optional()
    .describe(
      'How much it may use of one gateway; beyond that requests are answered with 503 `SlowDown`. Default: no limit.',
    ),
})

const bucket = z.strictObject({
  match: bucketPattern.describe('Bucket by name; `*` stands for any characters. The first entry that matches counts.'),
  namespace: z
    .string()
    .regex(/^[^\p{Cc}\p{Surrogate}]{1,128}$/u, 'a namespace is 1 to 128 printable characters')
    .refine((name) => !name.startsWith('sealgate/'), 'names that begin with sealgate/ are kept for Sealgate')
    .optional()
    .describe(
      'Stable name that the keys of the bucket are bound to, so that its data can move to a bucket of another name. Default: the name of the bucket. Changing it makes existing objects unreadable.',
    ),
  keys: alias
    .optional()
    .describe(
      'Alias of the key manager that wraps the keys of new objects here, in place of `keys.active`. What others have wrapped is read on.',
    ),
  copy: z
    .enum(['rewrap', 'rekey'], 'write rewrap or rekey')
    .default('rewrap')
    .describe('Copies share the sealed body and its object key (`rewrap`), or are sealed anew (`rekey`).'),
  contents: z
    .enum(['sealed', 'mixed'], 'write sealed or mixed')
    .default('sealed')
    .describe(
      '`sealed`: an object that was not written through Sealgate is refused. `mixed`: it may be read; one whose envelope was removed looks the same.',
    ),
  sealedSince: z.iso
    .datetime({ offset: true, error: 'write a time, for example 2026-11-25T00:00:00Z' })
    .transform((text) => Date.parse(text))
    .optional()
    .describe(
      'In a `mixed` bucket: everything written since then is sealed. Listings look only at older objects, one request each, and remember what they found.',
    ),
  public: publicAccess,
  operations: z
    .array(
      z.string().regex(/^[A-Za-z0-9*]{1,80}$/, 'write the name of an S3 operation, where * stands for any characters'),
    )
    .min(1, 'allow something, or leave `operations` out')
    .optional()
    .describe(
      'S3 operations that clients may use here, whatever their credentials allow: `GetObject`, `List*`. The source of a copy needs GetObject. Default: all.',
    ),
  limits: usageLimits
    .optional()
    .describe(
      'How much all clients together may use of one gateway in the buckets that the entry matches; beyond that 503 `SlowDown`. Default: no limit.',
    ),
  cors: corsRules
    .optional()
    .describe(
      'Cross-origin rules in place of `server.cors`; an empty list allows none. A configuration put by PutBucketCors comes before both.',
    ),
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

/** The whole schema; see the head of this file. Rules between fields are in `cross-checks.ts`. */
export const settingsSchema = z.strictObject({
  data: path(
    'Folder for what Sealgate makes itself: master keys, generated credentials, embedded backend, state.',
  ).default('./sealgate-data'),
  server: server.prefault({}).describe('The S3 listener.'),
  admin: admin.prefault({}).describe('The admin listener.'),
  backend: backend.prefault({}).describe('Where sealed objects are kept.'),
  state: state.prefault({}).describe('Where Sealgate keeps uploads in progress and the keyring.'),
  uploads: uploads.prefault({}).describe('Multipart uploads.'),
  replicas: count({ least: 1, most: 10_000 })
    .default(1)
    .describe(
      'Gateways that serve the same backend at the same time. More than one need a backend and a state store that they share (both of type s3), and a state store that decides conditional writes.',
    ),
  keys: keys.prefault({}).describe('Who guards the master keys.'),
  fips: z
    .boolean('write true or false')
    .default(false)
    .describe(
      'Do all cryptography by the FIPS provider of OpenSSL, or do not start (docs/threat-model.md, "FIPS"). Needs a backend of type s3.',
    ),
  credentials: z
    .array(credential)
    .optional()
    .describe(
      'Who may use the S3 listener. Default: one credential, made on first start and kept in `aws-credentials` inside `data`.',
    ),
  buckets: z.array(bucket).default([]).describe('Settings of single buckets.'),
  bucketsFolder: path(
    'Folder with further entries of `buckets`, for buckets or tenants: each of its `*.yaml` files holds one, or a list of them. They come after those of this file, in the order of the names of their files.',
  ).optional(),
  checksums: checksums.prefault({}).describe('Checksums of objects.'),
  limits: limits.prefault({}).describe('What one process may use.'),
  metrics: metrics.prefault({}).describe('What `/metrics` of the admin listener tells apart.'),
  telemetry: telemetry.prefault({}).describe('What is told to programs elsewhere.'),
  log: log.prefault({}).describe('The log, JSON lines on standard error, and the access log.'),
  audit: audit.prefault({}).describe('Who has done what, as a chain of lines that shows whether one was changed.'),
})

/** Settings after the schema, before defaults that depend on other settings. */
export type ParsedSettings = z.output<typeof settingsSchema>

/** Complete settings, deeply frozen. Durations are milliseconds, sizes bytes. */
export type Settings = DeepReadonly<
  Omit<ParsedSettings, 'backend' | 'state' | 'server'> & {
    server: Omit<ParsedSettings['server'], 'workers'> & { workers: number }
    backend: StoreSettings
    state: StoreSettings & { bucket: string; prefix: string }
  }
>

/** Those of one key manager: of any, or of one type. */
export type ManagerSettings<Type extends string = string> = Extract<
  Settings['keys']['managers'][string],
  { readonly type: Type }
>

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T
