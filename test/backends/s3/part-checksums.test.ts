/** How damage on the way to a store is found, by what its profile declares. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Body, HeldBody } from '../../../src/backends/body.ts'
import { PROFILES } from '../../../src/backends/s3/profiles.ts'
import { loadChecksums } from '../../../src/s3/checksum.ts'
import { answer, ScriptedServer } from '../../helpers/scripted-server.ts'
import { s3Store } from '../../helpers/s3-store.ts'

const BYTES = Buffer.alloc(1_000, 7)
const UPLOAD = { bucket: 'b', key: 'k', uploadId: 'u' }
let server: ScriptedServer

beforeEach(async () => {
  await loadChecksums()
  server = await ScriptedServer.start()
  server.otherwise(answer(200, { headers: { etag: '"e"' } }))
})
afterEach(() => server.close())

const streamed = async function* (): Body {
  yield [BYTES]
}

async function sent(profile: 'aws' | 'minio') {
  const store = s3Store({ endpoint: server.endpoint, profile: PROFILES[profile] })
  const put = { metadata: {}, length: BYTES.length, commit: async () => ({}) }
  await store.put('b', 'k', new HeldBody([BYTES]), put)
  await store.put('b', 'k', streamed(), put)
  await store.putPart(UPLOAD, 1, new HeldBody([BYTES]), { length: BYTES.length })
  await store.putPart(UPLOAD, 2, streamed(), { length: BYTES.length })
  await store.close()
  return server.requests.map(({ headers }) => ({
    checksum: headers['x-amz-checksum-crc32'] !== undefined || headers['x-amz-trailer'] !== undefined,
    signed: /^[0-9a-f]{64}$/.test(headers['x-amz-content-sha256'] ?? ''),
  }))
}

test('AWS gets a checksum with objects, and with parts none that their upload has not announced', async () => {
  expect(await sent('aws')).toEqual([
    { checksum: true, signed: false },
    { checksum: true, signed: false },
    { checksum: false, signed: true },
    { checksum: false, signed: false },
  ])
})

test('MinIO gets one with everything', async () => {
  expect((await sent('minio')).map(({ checksum }) => checksum)).toEqual([true, true, true, true])
})
