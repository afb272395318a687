import type { S3StoreSettings } from '../../src/config/store-settings.ts'
import { ACCESS_KEY, SECRET_KEY } from './gateway.ts'

/** Settings of an S3 store, complete but for what the test says. */
export function storeSettings(more: Partial<S3StoreSettings> & { readonly endpoint: string }): S3StoreSettings {
  return {
    type: 's3',
    region: 'us-east-1',
    pathStyle: true,
    bucketOwner: undefined,
    profile: 'generic',
    auth: 'default',
    awsProfile: undefined,
    accessKeyId: ACCESS_KEY,
    secretAccessKey: SECRET_KEY,
    sessionToken: undefined,
    tls: { insecure: false },
    proxy: undefined,
    connections: 8,
    connectTimeout: 500,
    idleTimeout: 1_000,
    retry: { attempts: 1, budget: 1_000, baseDelay: 1, maxDelay: 1 },
    ...more,
  }
}
