/** Signatures through the server: what is refused, with which code and which facts (S3 behaviour 1 to 12 and 21). */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '../../src/s3/auth/sign.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, type RawAnswer, RawConnection } from '../helpers/raw-connection.ts'
import { elements, exchange as exchangeWith, expectError } from '../helpers/error-answer.ts'

const Bucket = 'signing'
const PATH = `/${Bucket}/key`
let running: TestGateway

beforeAll(async () => {
  running = await startGateway({ region: 'us-east-1' })
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'signed' }))
})
afterAll(() => running.close())

interface Signing {
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly region?: string
  readonly service?: string
  readonly now?: Date
  readonly secret?: string
  readonly accessKey?: string
  readonly payloadHash?: string
}

function sign(options: Signing = {}): Record<string, string> {
  const { method = 'GET', path = PATH, headers = {}, region = 'us-east-1', now = new Date() } = options
  return signRequest({
    method,
    url: `${running.endpoint}${path}`,
    headers,
    credentials: { accessKey: options.accessKey ?? ACCESS_KEY, secret: options.secret ?? SECRET_KEY },
    region,
    ...(options.service === undefined ? {} : { service: options.service }),
    now,
    payloadHash: options.payloadHash ?? 'UNSIGNED-PAYLOAD',
  })
}

const exchange = (method: string, path: string, headers: Record<string, string>, body = ''): Promise<RawAnswer> =>
  exchangeWith(running, method, path, headers, body)
const without = (headers: Record<string, string>, ...names: string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))
const authorization = (change: (value: string) => string): Record<string, string> => {
  const headers = sign()
  return { ...headers, authorization: change(headers.authorization ?? '') }
}
const minutes = (n: number): Date => new Date(Date.now() + n * 60_000)

describe('the Authorization header', () => {
  const cases: [string, () => Record<string, string>, number, string, Record<string, string | RegExp>][] = [
    ['B1 is missing', () => without(sign(), 'authorization'), 403, 'AccessDenied', {}],
    [
      'B2 names an unknown key',
      () => sign({ accessKey: 'NOBODY' }),
      403,
      'InvalidAccessKeyId',
      { AWSAccessKeyId: 'NOBODY' },
    ],
    [
      'B3 is of another secret',
      () => sign({ secret: 'wrong' }),
      403,
      'SignatureDoesNotMatch',
      {
        AWSAccessKeyId: ACCESS_KEY,
        StringToSign: /^AWS4-HMAC-SHA256\n\d{8}T\d{6}Z\n\d{8}\/us-east-1\/s3\/aws4_request\n[0-9a-f]{64}$/,
        StringToSignBytes: /^41 57 53 34 /,
        CanonicalRequest: /^GET\n\/signing\/key\n\nhost:/,
        CanonicalRequestBytes: /^47 45 54 0a /,
        SignatureProvided: /^[0-9a-f]{64}$/,
      },
    ],
    [
      'B4 is SigV2',
      () => authorization(() => `AWS ${ACCESS_KEY}:c2ln`),
      400,
      'InvalidRequest',
      { Message: /AWS4-HMAC-SHA256/ },
    ],
    [
      'B4 has an old scheme',
      () => authorization(() => 'AWS2-HMAC-SHA1 x'),
      400,
      'InvalidArgument',
      { Message: 'Unsupported Authorization Type', ArgumentName: 'Authorization' },
    ],
    ['B4 has a foreign scheme', () => authorization(() => 'Bearer x'), 400, 'InvalidArgument', {}],
    ['is empty', () => authorization(() => ''), 400, 'InvalidArgument', {}],
    ['has no components', () => authorization(() => 'AWS4-HMAC-SHA256'), 400, 'AuthorizationHeaderMalformed', {}],
    [
      'B5 has a short credential',
      () => authorization((value) => value.replace('/aws4_request', '')),
      400,
      'AuthorizationHeaderMalformed',
      {},
    ],
    [
      'B5 ends its scope with another word',
      () => authorization((value) => value.replace('aws4_request', 'aws5_request')),
      400,
      'AuthorizationHeaderMalformed',
      {},
    ],
    [
      'B5 is for another region',
      () => sign({ region: 'eu-west-1' }),
      400,
      'AuthorizationHeaderMalformed',
      { Region: 'us-east-1' },
    ],
    ['B5 is for another service', () => sign({ service: 'sts' }), 400, 'AuthorizationHeaderMalformed', {}],
    [
      'B5 has another day than x-amz-date',
      () => authorization((value) => value.replace(/\/\d{8}\//, '/20200101/')),
      400,
      'AuthorizationHeaderMalformed',
      {},
    ],
    [
      'B6 comes without a date',
      () => without(sign(), 'x-amz-date'),
      403,
      'AccessDenied',
      { Message: 'AWS authentication requires a valid Date or x-amz-date header' },
    ],
    ['B6 comes with a date that is none', () => ({ ...sign(), 'x-amz-date': 'today' }), 403, 'AccessDenied', {}],
    [
      'B7 is 16 minutes old',
      () => sign({ now: minutes(-16) }),
      403,
      'RequestTimeTooSkewed',
      { RequestTime: /^\d{8}T\d{6}Z$/, ServerTime: /Z$/, MaxAllowedSkewMilliseconds: '900000' },
    ],
    ['B7 is 16 minutes ahead', () => sign({ now: minutes(16) }), 403, 'RequestTimeTooSkewed', {}],
    [
      'B8 comes without x-amz-content-sha256',
      () => without(sign(), 'x-amz-content-sha256'),
      400,
      'InvalidRequest',
      { Message: /x-amz-content-sha256/ },
    ],
    ['B8 comes with a payload hash that is none', () => sign({ payloadHash: 'abc' }), 400, 'InvalidArgument', {}],
    [
      'B9 leaves an x-amz-* header unsigned',
      () => ({ ...sign(), 'x-amz-meta-added': 'later' }),
      403,
      'AccessDenied',
      { Message: /not signed/, HeadersNotSigned: 'x-amz-meta-added' },
    ],
    [
      'signs a header that did not come',
      () => without(sign({ headers: { 'x-amz-meta-a': 'b' } }), 'x-amz-meta-a'),
      403,
      'SignatureDoesNotMatch',
      {},
    ],
    [
      'stands beside a session token',
      () => sign({ headers: { 'x-amz-security-token': 'token' } }),
      400,
      'InvalidToken',
      {},
    ],
  ]
  test.each(cases)('%s', async (_what, headers, status, code, extra) => {
    const found = expectError(await exchange('GET', PATH, headers()), status, code)
    for (const [name, value] of Object.entries(extra)) {
      if (typeof value === 'string') expect([name, found[name]]).toEqual([name, value])
      else expect(found[name]).toMatch(value)
    }
    expect(JSON.stringify(found)).not.toContain(SECRET_KEY)
    const bare = await exchange('HEAD', PATH, headers())
    expect([bare.body, bare.headers.has('x-amz-request-id')]).toEqual(['', true])
    expect(bare.status).toBeGreaterThanOrEqual(400)
  })

  test('stands twice: refused, whichever is right', async () => {
    const connection = await RawConnection.open(running.port)
    const text = head('GET', PATH, sign())
    connection.write(text.replace('\r\n\r\n', '\r\nauthorization: AWS4-HMAC-SHA256 x\r\n\r\n'))
    const answer = await connection.answer()
    expect(answer?.status).toBe(400)
    connection.close()
  })

  test.each([14, -14])('B7 %i minutes off is near enough', async (n) => {
    expect((await exchange('GET', PATH, sign({ now: minutes(n) }))).body).toBe('signed')
  })

  test('B9 leaves headers that are not x-amz-* unsigned: accepted', async () => {
    expect((await exchange('GET', PATH, { ...sign(), 'content-type': 'a/b', 'accept-encoding': 'gzip' })).status).toBe(
      200,
    )
  })

  test('B6 may be dated by Date alone, in the form of HTTP', async () => {
    // Signed with both, so that the string to sign has the same time; what is sent has Date alone.
    const now = new Date(Math.floor(Date.now() / 1_000) * 1_000)
    const signed = sign({ now, headers: { date: now.toUTCString() } })
    const answer = await exchange('GET', PATH, without(signed, 'x-amz-date'))
    // x-amz-date was signed and did not come: another canonical request, but the date itself was read.
    expectError(answer, 403, 'SignatureDoesNotMatch')
    expect(elements(answer).StringToSign).toContain(now.toISOString().replaceAll(/[-:]|\.\d+/g, ''))
  })

  test('B8 covers the payload by its hash', async () => {
    const hash = 'ab'.repeat(32)
    const headers = sign({
      method: 'PUT',
      path: `/${Bucket}/hashed`,
      payloadHash: hash,
      headers: { 'content-length': '4' },
    })
    const found = expectError(
      await exchange('PUT', `/${Bucket}/hashed`, headers, 'body'),
      400,
      'XAmzContentSHA256Mismatch',
    )
    expect(found.ClientComputedContentSHA256).toBe(hash)
    expect(found.S3ComputedContentSHA256).toBe('230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5')
    expect(await running.store.head(Bucket, 'hashed')).toBeUndefined()
  })
})

describe('what is signed is what came over the wire', () => {
  test.each([
    '//double',
    '/./dot',
    '/../dots',
    '/a/../b',
    '/plus+plus',
    '/space%20space',
    '/percent%2Fslash',
    '/%25',
    '/lower%c3%bc',
    '/UPPER%C3%BC',
    '/unescaped!(x)*~',
    '/colon:at@',
  ])('B10 %s', async (name) => {
    const path = `/${Bucket}${name}`
    const put = await exchange('PUT', path, sign({ method: 'PUT', path, headers: { 'content-length': '1' } }), 'x')
    expect([put.status, put.body]).toEqual([200, ''])
    expect(await running.store.head(Bucket, decodeURIComponent(name.slice(1)))).toBeDefined()
    expect((await exchange('GET', path, sign({ path }))).body).toBe('x')
  })

  test('B11 queries in any order, with values that are missing, repeated or have pluses', async () => {
    for (const query of [
      'prefix=b&list-type=2',
      'list-type=2&prefix',
      'list-type=2&x=2&x=1&start-after=',
      'list-type=2&prefix=a%20b',
    ])
      expect((await exchange('GET', `/${Bucket}?${query}`, sign({ path: `/${Bucket}?${query}` }))).status).toBe(200)
    const plus = `/${Bucket}?list-type=2&prefix=a+b`
    const listed = await exchange('GET', plus, sign({ path: plus }))
    expect([listed.status, /<Prefix>([^<]*)</.exec(listed.body)?.[1]]).toEqual([200, 'a b'])
  })

  test('B12 header values are trimmed and their inner spaces collapsed; duplicates are joined', async () => {
    const path = `/${Bucket}/spaces`
    const headers = sign({ method: 'PUT', path, headers: { 'content-length': '1', 'x-amz-meta-a': 'one two,three' } })
    const lines = head('PUT', path, { ...headers, 'x-amz-meta-a': '   one    two  ' }).replace(
      '\r\n\r\n',
      '\r\nX-Amz-Meta-A: three\r\n\r\nx',
    )
    const connection = await RawConnection.open(running.port)
    connection.write(lines)
    expect((await connection.answer())?.status).toBe(200)
    connection.close()
  })

  test('B12 another Host than was signed does not pass', async () => {
    expectError(await exchange('GET', PATH, { ...sign(), host: 'other.example' }), 403, 'SignatureDoesNotMatch')
  })

  test('a changed method, path or query does not pass', async () => {
    for (const [method, path] of [
      ['DELETE', PATH],
      ['GET', `${PATH}2`],
      ['GET', `${PATH}?partNumber=1`],
    ] as const)
      expectError(await exchange(method, path, sign()), 403, 'SignatureDoesNotMatch')
    expect(await running.store.head(Bucket, 'key')).toBeDefined()
  })
})
