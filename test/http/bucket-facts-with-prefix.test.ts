/** A credential that is confined to a prefix may still ask whether its bucket exists and where: clients do so before anything else. */
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ALLOW_ALL, type CredentialEntry } from '../../src/access/credentials.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { send } from '../helpers/signed-request.ts'

const SECRET = 'another-secret-0123456789'
const credentials: CredentialEntry[] = [
  { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, allow: ALLOW_ALL },
  {
    accessKey: 'TENANT',
    secretKey: SECRET,
    allow: [{ buckets: ['shared'], prefixes: ['tenant/'], actions: 'read-only' }],
  },
]
let running: TestGateway

beforeAll(async () => {
  running = await startGateway({ credentials })
  for (const Bucket of ['shared', 'closed']) await running.client().send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

test.each([
  ['HEAD', '/shared', 200],
  ['GET', '/shared?location', 200],
  ['HEAD', '/closed', 403],
  ['GET', '/closed?location', 403],
  ['GET', '/shared?list-type=2', 403],
  ['GET', '/shared?uploads', 403],
])('%s %s is %i', async (method, path, status) => {
  const answer = await send(running, { method, path, credentials: { accessKey: 'TENANT', secret: SECRET } })
  expect(answer.status).toBe(status)
})
