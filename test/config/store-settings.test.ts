import { expect, test } from 'vitest'
import { PROFILES } from '../../src/backends/s3/profiles.ts'
import { loadSettings } from '../../src/config/load.ts'
import { PROFILE_NAMES } from '../../src/config/store-settings.ts'

const load = (env: Record<string, string>, cores = 4) =>
  loadSettings({
    env,
    cores,
    readFile: () => {
      throw Object.assign(new Error('none'), { code: 'ENOENT' })
    },
  })

test('the profiles of the settings are those of the table', () => {
  expect([...PROFILE_NAMES].sort()).toEqual(Object.keys(PROFILES).sort())
})

test('an S3 backend from the environment keeps its state in the data folder', () => {
  const { backend, state } = load({
    SEALGATE_BACKEND_TYPE: 's3',
    SEALGATE_BACKEND_ENDPOINT: 'http://127.0.0.1:9000/',
    SEALGATE_BACKEND_PATH_STYLE: 'false',
    SEALGATE_BACKEND_RETRY_ATTEMPTS: '2',
    SEALGATE_BACKEND_TLS_INSECURE: 'true',
  })
  expect(backend).toMatchObject({
    type: 's3',
    endpoint: 'http://127.0.0.1:9000',
    pathStyle: false,
    profile: 'generic',
    region: 'us-east-1',
    auth: 'default',
    retry: { attempts: 2, budget: 30_000, baseDelay: 100, maxDelay: 5_000 },
    tls: { insecure: true },
  })
  expect(state).toEqual({ type: 'local', path: 'sealgate-data/state', bucket: 'sealgate-state', prefix: '' })
})

test('without an address it is AWS, in the region and with the bucket in the host name', () => {
  const { backend } = load({ SEALGATE_BACKEND_TYPE: 's3', SEALGATE_BACKEND_REGION: 'eu-central-1' })
  expect(backend).toMatchObject({
    endpoint: 'https://s3.eu-central-1.amazonaws.com',
    pathStyle: false,
    profile: 'aws',
  })
})

test('workers: auto is one for each core', () => {
  expect(load({ SEALGATE_SERVER_WORKERS: 'auto' }, 8).server.workers).toBe(8)
  expect(load({ SEALGATE_SERVER_WORKERS: '3' }, 8).server.workers).toBe(3)
})
