/** Where a customer's key may come from, and where neither it nor its digest may ever go. */
import { createHash, randomBytes } from 'node:crypto'
import { Agent } from 'node:https'
import { inspect } from 'node:util'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { presignUrl } from '../../src/s3/auth/sign.ts'
import { CustomerKey } from '../../src/s3/encryption-headers.ts'
import { requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { pem } from '../helpers/pem.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { formBody, post, signForm } from '../helpers/signed-form.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

const Bucket = 'secrets'
const key = randomBytes(32)
const text = key.toString('base64')
const md5 = createHash('md5').update(key).digest('base64')
const SSE = 'x-amz-server-side-encryption'
const CUSTOMER: Readonly<Record<string, string>> = {
  [`${SSE}-customer-algorithm`]: 'AES256',
  [`${SSE}-customer-key`]: text,
  [`${SSE}-customer-key-md5`]: md5,
}
const SOURCE = Object.fromEntries(
  Object.entries(CUSTOMER).map(([name, value]) => [name.replace('x-amz-', 'x-amz-copy-source-'), value]),
)
const fields = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: text }

let running: TestGateway
let events: RequestEvent[] = []
const stop = requestDone.subscribe((event) => void events.push(event))

beforeAll(async () => {
  running = await startGateway({ customerKeysOverHttp: true })
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'contents', ...fields }))
})
afterEach(() => {
  for (const event of events) expectNoSecret(inspect(event, { depth: 12, showHidden: true }))
  events = []
})
afterAll(async () => {
  stop()
  await running.close()
})

function expectNoSecret(said: string): void {
  const hex = (value: string): string => Buffer.from(value).toString('hex')
  for (const secret of [text, md5, key.toString('hex'), hex(text), hex(md5)]) {
    expect(said.replaceAll(' ', '').includes(secret)).toBe(false)
  }
}

describe('over plain HTTP', () => {
  let strict: TestGateway
  beforeAll(async () => {
    strict = await startGateway()
    await strict.client().send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => strict.close())

  test.each([
    ['PUT', `/${Bucket}/k`, CUSTOMER],
    ['GET', `/${Bucket}/k`, CUSTOMER],
    ['PUT', `/${Bucket}/k`, { ...SOURCE, 'x-amz-copy-source': `/${Bucket}/from` }],
  ])('a customer’s key is refused: %s %s', async (method, path, headers) => {
    const told = { 'x-forwarded-proto': 'https', forwarded: 'proto=https' }
    for (const more of [{}, told]) {
      const answer = await send(strict, { method, path, headers: { ...headers, ...more } })
      expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidRequest'])
      expect(answer.bytes.toString()).toContain('must be made over a secure connection')
    }
  })
})

test('over HTTPS a customer’s key is taken without any setting', async () => {
  const secure = await startGateway({ server: { tls: { cert: pem('cert'), key: pem('key') } } })
  const httpsAgent = new Agent({ ca: pem('cert') })
  try {
    const s3 = secure.client({ endpoint: `https://127.0.0.1:${secure.port}`, requestHandler: { httpsAgent } })
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'contents', ...fields }))
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'k', ...fields }))
    expect(await Body?.transformToString()).toBe('contents')
  } finally {
    httpsAgent.destroy()
    await secure.close()
  }
})

test.each<[string, Record<string, string | undefined>, string]>([
  [
    'B54 a digest of another key',
    { [`${SSE}-customer-key-md5`]: Buffer.alloc(16).toString('base64') },
    'InvalidArgument',
  ],
  ['a key of 16 bytes', { [`${SSE}-customer-key`]: key.subarray(16).toString('base64') }, 'InvalidArgument'],
  ['a key that is no base64', { [`${SSE}-customer-key`]: `${text.slice(0, -2)}!=` }, 'InvalidArgument'],
  ['no key', { [`${SSE}-customer-key`]: undefined }, 'InvalidArgument'],
  ['no digest', { [`${SSE}-customer-key-md5`]: undefined }, 'InvalidArgument'],
  ['no algorithm', { [`${SSE}-customer-algorithm`]: undefined }, 'InvalidArgument'],
  ['another algorithm', { [`${SSE}-customer-algorithm`]: 'AES128' }, 'InvalidEncryptionAlgorithmError'],
  ['the key as its algorithm', { [`${SSE}-customer-algorithm`]: text }, 'InvalidEncryptionAlgorithmError'],
  ['B105 aws:kms beside it', { [SSE]: 'aws:kms' }, 'InvalidArgument'],
  ['AES256 beside it', { [SSE]: 'AES256' }, 'InvalidArgument'],
])('%s is refused, without a word of the key', async (_what, change, code) => {
  const headers = Object.fromEntries(
    Object.entries({ ...CUSTOMER, ...change }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  const put = await send(running, { method: 'PUT', path: `/${Bucket}/no`, headers, body: Buffer.from('x') })
  expect([put.status, codeOf(put)]).toEqual([400, code])
  expectNoSecret(put.bytes.toString())
  const get = await send(running, { method: 'GET', path: `/${Bucket}/k`, headers })
  expect([get.status, codeOf(get)]).toEqual([400, code])
  expectNoSecret(get.bytes.toString())
  expect(await running.store.head(Bucket, 'no')).toBeUndefined()
})

test('a wrong signature shows what was signed, but not the key', async () => {
  const credentials = { accessKey: 'SGTESTKEY', secret: 'wrong' }
  const answer = await send(running, { method: 'GET', path: `/${Bucket}/k`, headers: CUSTOMER, credentials })
  expect(codeOf(answer)).toBe('SignatureDoesNotMatch')
  const said = answer.bytes.toString()
  expect(said).toContain(`${SSE}-customer-key:(left out)`)
  expectNoSecret(said)
})

test('operations that go on to a store as they are take no customer’s key', async () => {
  const store = s3Store({ endpoint: running.endpoint })
  const before = await startGateway({ store, customerKeysOverHttp: true })
  try {
    const tagging = await send(before, { method: 'GET', path: `/${Bucket}?tagging`, headers: CUSTOMER })
    expect([tagging.status, codeOf(tagging)]).toEqual([501, 'NotImplemented'])
  } finally {
    await before.close()
    await store.close()
  }
})

describe('a POST form', () => {
  const NAMES = Object.keys(CUSTOMER)
  const form = (at: TestGateway, key: string, conditions: readonly unknown[], sent: Record<string, string>) => {
    const signed = signForm({ bucket: Bucket, conditions: [['starts-with', '$key', ''], ...conditions] })
    return post(at, {
      path: `/${Bucket}`,
      body: formBody([['key', key], ...Object.entries(sent), ...signed], 'by form'),
    })
  }
  const any = NAMES.map((name) => ['starts-with', `$${name}`, ''])

  test('brings a key in its fields, and is told so; server-side encryption likewise', async () => {
    const answer = await form(running, 'form', any, { ...CUSTOMER })
    expect(answer.status).toBe(204)
    expect(answer.headers[`${SSE}-customer-key-md5`]).toBe(md5)
    const { Body } = await running.client().send(new GetObjectCommand({ Bucket, Key: 'form', ...fields }))
    expect(await Body?.transformToString()).toBe('by form')
    const kms = { [SSE]: 'aws:kms', [`${SSE}-aws-kms-key-id`]: 'alias/main' }
    const asked = await form(
      running,
      'kms',
      Object.keys(kms).map((name) => ['starts-with', `$${name}`, '']),
      kms,
    )
    expect([asked.status, asked.headers[SSE]]).toEqual([204, 'aws:kms'])
  })

  test('that is refused for a field that comes twice, or is no header, does not show the key', async () => {
    const twice = formBody([['key', 'form'], ...Object.entries(CUSTOMER), ...Object.entries(CUSTOMER)], 'by form')
    const name = `${SSE}-customer-key`
    const broken = formBody([['key', 'form'], ...Object.entries({ ...CUSTOMER, [name]: `${text}\u0001` })], 'by form')
    for (const body of [twice, broken]) {
      const answer = await post(running, { path: `/${Bucket}`, body })
      expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidArgument'])
      expectNoSecret(answer.bytes.toString())
    }
    const reversed = formBody(
      [
        ['key', 'form'],
        [name, text],
        [name.toUpperCase(), text],
      ],
      'by form',
    )
    expectNoSecret((await post(running, { path: `/${Bucket}`, body: reversed })).bytes.toString())
  })

  test('over plain HTTP is refused, and a failed condition does not show the key', async () => {
    const strict = await startGateway()
    try {
      await strict.client().send(new CreateBucketCommand({ Bucket }))
      const refused = await form(strict, 'form', any, { ...CUSTOMER })
      expect([refused.status, codeOf(refused)]).toEqual([400, 'InvalidRequest'])
      expect(await strict.store.head(Bucket, 'form')).toBeUndefined()
    } finally {
      await strict.close()
    }
    const another = [['eq', `$${SSE}-customer-key`, text], ...any.filter((one) => !one[1]?.endsWith('-customer-key'))]
    const answer = await form(running, 'form', another, { ...CUSTOMER, [`${SSE}-customer-key`]: 'else' })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'AccessDenied'])
    expectNoSecret(answer.bytes.toString())
  })
})

describe('a presigned URL', () => {
  test('signed with all three headers works for whoever sends them', async () => {
    const command = new GetObjectCommand({ Bucket, Key: 'k', ...fields })
    const url = await getSignedUrl(running.client(), command)
    expect(url).not.toContain(encodeURIComponent(text))
    const answer = await fetch(url, { headers: CUSTOMER })
    expect([answer.status, await answer.text()]).toEqual([200, 'contents'])
    expect((await fetch(url)).status).toBe(403)
  })

  /** Signs by hand with these headers alone, since SDKs sign more than they must; all three are sent. */
  const presigned = (query: string, signed: readonly string[], sent = CUSTOMER): Promise<Response> => {
    const url = presignUrl({
      method: 'GET',
      url: `${running.endpoint}/${Bucket}/k${query}`,
      credentials: { accessKey: ACCESS_KEY, secret: SECRET_KEY },
      region: 'us-east-1',
      now: new Date(),
      expiresSeconds: 60,
      headers: Object.fromEntries(Object.entries(CUSTOMER).filter(([name]) => signed.includes(name))),
    })
    return fetch(url, { headers: sent })
  }

  test('with the algorithm alone signed takes the key of whoever uses it', async () => {
    const answer = await presigned('', [`${SSE}-customer-algorithm`])
    expect([answer.status, await answer.text()]).toEqual([200, 'contents'])
  })

  test('B9 with nothing of it signed takes no key', async () => {
    const answer = await presigned('', [])
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain('HeadersNotSigned')
  })

  test('has no key in it: it would end in logs', async () => {
    const answer = await presigned(`?${SSE}-customer-key=${encodeURIComponent(text)}`, [], {})
    expect(answer.status).toBe(400)
    expectNoSecret(await answer.text())
  })
})

test('nothing that prints a key shows it', () => {
  const shown = new CustomerKey(takeSecret(Buffer.from(key)), md5)
  for (const said of [inspect(shown, { depth: 9, showHidden: true }), JSON.stringify(shown)]) {
    expectNoSecret(said)
  }
})
