/** Programs of several checks: each prints a line for every check, `ok`, or `FAIL` with the reason, tabs between, seconds before it. */
import { assert } from '../shell.mjs'

/** What a gateway is told for them: they give keys of customers, and are on this machine. */
export const SETTINGS = { SEALGATE_SERVER_CUSTOMER_KEYS_OVER_HTTP: 'true' }

/** What such a program gets to know of the gateway. */
export function sdkEnv({ gateway, store, md5Etags, conditional }, bucket) {
  return {
    ENDPOINT: gateway.endpoint,
    BUCKET: bucket,
    ETAGS: md5Etags ? 'md5' : 'opaque',
    CONDITIONAL: conditional,
    KEYS: store.pathKeys ? 'paths' : 'any',
    /** Whether versions, tags and locks are kept: by the store itself, or by the gateway's own. */
    NATIVE: store.versions ? 'yes' : 'no',
    OWN: store.embedded ? 'yes' : 'no',
    MARKERS: store.markers === false ? 'no' : 'yes',
    AWS_ACCESS_KEY_ID: gateway.accessKey,
    AWS_SECRET_ACCESS_KEY: gateway.secretKey,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_CA_BUNDLE: undefined,
  }
}

/** Runs it and keeps its checks. Throws where it printed none: then it did not check anything. */
export function runProgram({ record }, start) {
  const lines = start()
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([verdict]) => verdict === 'ok' || verdict === 'FAIL')
  assert(lines.length > 0, 'the program made no checks')
  for (const [verdict, seconds, name, detail] of lines) record(name, verdict === 'ok', Number(seconds), detail ?? '')
}
