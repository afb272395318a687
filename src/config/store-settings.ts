/** Where objects and state are kept: the two groups of settings that name a store. */
import { z } from 'zod'
import { awsCredentials, httpEndpoint } from './aws-settings.ts'
import { retryPolicy } from './retry-settings.ts'
import { count, duration, path, region, secret } from './shapes.ts'

/** Kept equal to the table of profiles by a test. */
export const PROFILE_NAMES = [
  'generic',
  'aws',
  'minio',
  'ceph',
  'wasabi',
  'b2',
  'hetzner',
  'garage',
  'seaweedfs',
  'versitygw',
  's3proxy',
  'gcs',
] as const

const flag = () => z.boolean('write true or false')

const tls = z.strictObject({
  caFile: path('Certificates (PEM) of the authorities to trust, in place of those of the system.').optional(),
  certFile: path('Client certificate chain in PEM.').optional(),
  keyFile: path('Private key of `certFile` in PEM.').optional(),
  insecure: flag()
    .default(false)
    .describe(
      'Accept any certificate. Whoever is on the way can then take the place of the store; said aloud at every start.',
    ),
})

const retry = retryPolicy({
  attempts:
    'How often a request is sent at most. Bodies that cannot be sent again are not: the client gets 503 and its SDK retries.',
  defaults: { attempts: 4, budget: '30s', baseDelay: '100ms', maxDelay: '5s' },
})

/** What only a store of type `s3` has. */
const s3Fields = {
  endpoint: httpEndpoint.optional().describe('Address of an `s3` store. Default: AWS in `region`.'),
  region: region
    .default('us-east-1')
    .describe(
      'Region that requests to an `s3` store are signed for. A bucket that turns out to be in another is followed, at the same endpoint; an endpoint of AWS becomes that of the other region.',
    ),
  pathStyle: flag()
    .optional()
    .describe(
      'Whether the bucket stands in the path or in the host name. Default: in the path, with AWS in the host name.',
    ),
  bucketOwner: z
    .string()
    .regex(/^\d{12}$/, 'write the 12 digits of an AWS account')
    .optional()
    .describe(
      'AWS account that owns every bucket of an `s3` store. Sent with each request: a bucket of the same name that somebody else owns is refused.',
    ),
  profile: z
    .enum(PROFILE_NAMES, `write one of ${PROFILE_NAMES.join(', ')}`)
    .optional()
    .describe(
      'What the provider can do (docs/compatibility.md). It is tried at first contact, and what it does not do is not relied on. Default: `aws` without an endpoint, else `generic`.',
    ),
  ...awsCredentials('an `s3` store'),
  tls: tls.prefault({}).describe('Trust towards an `s3` store.'),
  proxy: secret(
    'HTTP proxy on the way to an `s3` store; never shown, since its address may hold a password.',
    z.string().regex(/^https?:\/\/\S+$/, 'write the http:// or https:// address of a proxy'),
  ).optional(),
  connections: count({ least: 1, most: 10_000 })
    .default(256)
    .describe(
      'Connections to an `s3` store, in each worker: this many for bodies that are read, and as many for everything else; further requests wait.',
    ),
  connectTimeout: duration('10s', { least: '100ms', most: '5m' }).describe('How long a connection may take to open.'),
  idleTimeout: duration('1m', { least: '1s', most: '1h' }).describe(
    'How long an `s3` store may be silent within a request. There is no limit on its whole duration.',
  ),
  retry: retry.prefault({}),
}

const storeType = z.enum(['local', 'memory', 's3'], 'write local, memory or s3')

export const backend = z.strictObject({
  type: storeType
    .default('local')
    .describe(
      '`local` keeps sealed objects in a folder, `s3` in any store that speaks S3, `memory` forgets them at the end of the process.',
    ),
  path: path('Folder of a `local` backend. Default: `objects` inside `data`.').optional(),
  ...s3Fields,
})

export const state = z.strictObject({
  type: storeType
    .optional()
    .describe(
      'As `backend.type`. Default: `local`, or `memory` if the backend is. Several replicas share one of type `s3`.',
    ),
  path: path('Folder of a `local` state store. Default: `state` inside `data`.').optional(),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'write a bucket name')
    .default('sealgate-state')
    .describe('Bucket for uploads in progress and the keyring. Clients never see it.'),
  prefix: z
    .string()
    .regex(/^([^/]+\/)*$/, 'a prefix is empty or ends with /')
    .default('')
    .describe('Put before every name in that bucket; ends with `/`.'),
  ...s3Fields,
})

type S3Fields = Pick<z.output<typeof backend>, keyof typeof s3Fields>

/** A store that speaks S3, with what depends on other settings filled in. */
export interface S3StoreSettings extends Omit<S3Fields, 'endpoint' | 'pathStyle' | 'profile'> {
  readonly type: 's3'
  readonly endpoint: string
  readonly pathStyle: boolean
  readonly profile: (typeof PROFILE_NAMES)[number]
}

export type StoreSettings =
  | { readonly type: 'local'; readonly path: string }
  | { readonly type: 'memory' }
  | S3StoreSettings

/** Completes one group. `folder` is where a local store is kept unless it says otherwise. */
export function storeOf(
  type: StoreSettings['type'],
  fields: S3Fields & { readonly path?: string | undefined },
  folder: string,
): StoreSettings {
  if (type === 'memory') return { type }
  if (type === 'local') return { type, path: fields.path ?? folder }
  const { endpoint, pathStyle, profile, region, auth, awsProfile, accessKeyId, secretAccessKey, sessionToken } = fields
  const { bucketOwner, tls, proxy, connections, connectTimeout, idleTimeout, retry } = fields
  return {
    type,
    endpoint: endpoint ?? `https://s3.${region}.amazonaws.com`,
    pathStyle: pathStyle ?? endpoint !== undefined,
    profile: profile ?? (endpoint === undefined ? 'aws' : 'generic'),
    region,
    bucketOwner,
    auth,
    awsProfile,
    accessKeyId,
    secretAccessKey,
    sessionToken,
    tls,
    proxy,
    connections,
    connectTimeout,
    idleTimeout,
    retry,
  }
}
