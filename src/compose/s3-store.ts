/** Settings of an S3 store become a store: files are read, trust and credentials put together. */
import { existsSync, readFileSync } from 'node:fs'
import { parseCredentialsFile } from '../access/credentials.ts'
import { S3Store } from '../backends/s3.ts'
import { StoreClient } from '../backends/s3/client.ts'
import { type ProvidedCredentials, StoreCredentials } from '../backends/s3/credentials.ts'
import { type Profile, PROFILES } from '../backends/s3/profiles.ts'
import { Transport } from '../backends/s3/transport.ts'
import type { S3StoreSettings } from '../config/store-settings.ts'
import { Denied } from '../errors.ts'
import { alarm, liveNumber, storeAttempt } from '../telemetry/channels.ts'
import { awsCredentialsOf } from './aws-credentials.ts'
import { readText } from './read-text.ts'
import { timingOf } from './timing.ts'

export interface S3StoreContext {
  /** The group of settings, for messages. */
  readonly role: 'backend' | 'state'
  /** The file with the client credential that the first start made, if that is where clients' credentials come from. */
  readonly ownCredentials: string | undefined
  readonly clock: () => number
  readonly random: (bytes: number) => Buffer
}

/** Opens nothing yet: the first request does. Throws `Invalid` for files that cannot be read. */
export function openS3Store(settings: S3StoreSettings, context: S3StoreContext, profile?: Profile): S3Store {
  const { role } = context
  const transport = openTransport(settings, role)
  liveNumber.publish({ what: 'store-requests', of: role, read: () => transport.load.open })
  liveNumber.publish({ what: 'store-queue', of: role, read: () => transport.load.queued })
  const client = new StoreClient({
    endpoint: settings.endpoint,
    region: settings.region,
    pathStyle: settings.pathStyle,
    bucketOwner: settings.bucketOwner,
    transport,
    credentials: openCredentials(settings, context),
    retry: settings.retry,
    timing: timingOf(context),
    onAttempt: (attempt) => storeAttempt.publish({ store: role, ...attempt }),
  })
  return new S3Store({ client, profile: profile ?? PROFILES[settings.profile], region: settings.region })
}

function openTransport(settings: S3StoreSettings, role: string): Transport {
  const { connections, connectTimeout, idleTimeout, proxy, tls } = settings
  const { caFile, certFile, keyFile, insecure } = tls
  const read = (path: string | undefined, name: string) =>
    path === undefined ? {} : { [name]: readText(path, `${role}.tls.${name}File`) }
  if (insecure) {
    alarm.publish({
      what: 'TLS CERTIFICATES ARE NOT VERIFIED: anyone on the way can take the place of the store',
      detail: { setting: `${role}.tls.insecure`, endpoint: settings.endpoint },
    })
  }
  return new Transport({
    connections,
    connectTimeout,
    idleTimeout,
    tls: { ...read(caFile, 'ca'), ...read(certFile, 'cert'), ...read(keyFile, 'key'), insecure },
    ...(proxy === undefined ? {} : { proxy }),
  })
}

function openCredentials(settings: S3StoreSettings, { ownCredentials, clock }: S3StoreContext): StoreCredentials {
  const provider = awsCredentialsOf(settings)
  if (settings.accessKeyId !== undefined) return new StoreCredentials({ provider, check: () => undefined, now: clock })
  const check = ({ accessKeyId: found }: ProvidedCredentials): void => {
    // The shell of whoever tried the gateway still names our file: it is for clients, and no store knows it.
    if (ownCredentials === undefined || !existsSync(ownCredentials)) return
    const own = parseCredentialsFile(readFileSync(ownCredentials, 'utf8'))
    if (own.accessKey !== found) return
    throw new Denied(
      `the credentials for the store are those of Sealgate's own clients (${ownCredentials}); unset AWS_SHARED_CREDENTIALS_FILE and AWS_PROFILE, or set accessKeyId and secretAccessKey`,
    )
  }
  return new StoreCredentials({ provider, check, now: clock })
}
