/** Lifecycle rules of a store that speaks S3: thresholds as the client means them, everything else as it stands. */
import {
  GetBucketLifecycleConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { storedSize } from '../../src/format/sizes.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { answer, refuse, ScriptedServer } from '../helpers/scripted-server.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

const Bucket = 'rules'
let backend: ScriptedServer
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  backend = await ScriptedServer.start()
  running = await startGateway({ store: s3Store({ endpoint: backend.endpoint }) })
  s3 = running.client()
})
afterAll(async () => {
  await running.close()
  await running.store.close()
  await backend.close()
})
beforeEach(() => backend.clear())

const ruled = (greater: number) =>
  `<?xml version="1.0" encoding="UTF-8"?><LifecycleConfiguration><Rule><Filter><ObjectSizeGreaterThan>${greater}</ObjectSizeGreaterThan></Filter></Rule></LifecycleConfiguration>`

test('the store is given the threshold of the stored size, with digests of what it is given', async () => {
  backend.next(answer(200))
  await s3.send(
    new PutBucketLifecycleConfigurationCommand({
      Bucket,
      TransitionDefaultMinimumObjectSize: 'varies_by_storage_class',
      LifecycleConfiguration: {
        Rules: [
          {
            ID: 'old',
            Status: 'Enabled',
            Filter: { And: { Prefix: 'logs/', ObjectSizeGreaterThan: 0, ObjectSizeLessThan: 5_242_880 } },
            Expiration: { Days: 3 },
          },
        ],
      },
    }),
  )
  const [request] = backend.requests
  const document = request?.body.toString() ?? ''
  expect(document).toContain(`<ObjectSizeGreaterThan>${storedSize(0)}</ObjectSizeGreaterThan>`)
  expect(document).toContain(`<ObjectSizeLessThan>${storedSize(5_242_880)}</ObjectSizeLessThan>`)
  expect(document).toContain('<Days>3</Days>')
  expect(request?.headers['content-length']).toBe(String(request?.body.length))
  expect(request?.headers['content-md5']).toBeDefined()
  expect(request?.headers['x-amz-transition-default-minimum-object-size']).toBe('varies_by_storage_class')
})

test('the client is given back its own threshold, and a foreign one as it stands', async () => {
  backend.next(answer(200, { body: ruled(storedSize(1_000_000)) }), answer(200, { body: ruled(7) }))
  for (const expected of [1_000_000, 7]) {
    const { Rules } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
    expect(Rules?.[0]?.Filter?.ObjectSizeGreaterThan).toBe(expected)
  }
})

test('what the store refuses is refused in its words, and a document that is none never reaches it', async () => {
  backend.next(refuse(404, 'NoSuchLifecycleConfiguration'))
  await expect(s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))).rejects.toMatchObject({
    name: 'NoSuchLifecycleConfiguration',
  })
  const asked = backend.requests.length
  const body = Buffer.from('<LifecycleConfiguration><Rule>')
  const refused = await send(running, { method: 'PUT', path: `/${Bucket}?lifecycle`, body })
  expect([refused.status, backend.requests.length]).toEqual([400, asked])
})

test('rules of the store that cannot be read are its fault', async () => {
  const body = ruled(1).replace('>1<', '>many<')
  backend.next(answer(200, { body }), answer(200, { body: '<LifecycleConfiguration>' }))
  for (const _ of ['a threshold that is none', 'a document that breaks off']) {
    const { status } = await send(running, { method: 'GET', path: `/${Bucket}?lifecycle` })
    expect(status).toBe(503)
  }
})

test('a precondition that nobody would evaluate is refused, and the rules stay', async () => {
  const headers = { 'if-none-match': '*' }
  const refused = await send(running, {
    method: 'PUT',
    path: `/${Bucket}?lifecycle`,
    body: Buffer.from(ruled(1)),
    headers,
  })
  expect([refused.status, backend.requests.length]).toEqual([501, 0])
})

test('a store that does not speak S3 is asked for nothing', async () => {
  const embedded = await startGateway()
  const answer = await send(embedded, { method: 'GET', path: `/${Bucket}?lifecycle` })
  expect([answer.status, codeOf(answer)]).toEqual([404, 'NoSuchBucket'])
  await embedded.close()
})
