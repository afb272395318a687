/** Forms of browsers: signed policies, what they allow, what is stored and what is answered (S3 behaviour 106 and 107). */
import { createHash } from 'node:crypto'
import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALLOW_ALL } from '../../src/access/credentials.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { BOUNDARY, type Fields, formBody, type FormSigning, post, signForm } from '../helpers/signed-form.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, type SignedAnswer } from '../helpers/signed-request.ts'

const bucket = 'forms'
const READER = { accessKey: 'READER', secret: 'reader-secret-012345' }
const TENANT = { accessKey: 'TENANT', secret: 'tenant-secret-012345' }
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startGateway({
    domains: ['s3.test'],
    publicAccess: (name) => (name === 'dropbox' ? 'upload' : 'none'),
    credentials: [
      { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, allow: ALLOW_ALL },
      {
        accessKey: 'READER',
        secretKey: READER.secret,
        allow: [{ buckets: ['*'], prefixes: [], actions: 'read-only' }],
      },
      {
        accessKey: 'TENANT',
        secretKey: TENANT.secret,
        allow: [{ buckets: ['*'], prefixes: ['tenant/'], actions: 'read-write' }],
      },
    ],
  })
  s3 = running.client()
  for (const Bucket of [bucket, 'dropbox']) await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

interface Upload extends Partial<FormSigning> {
  readonly fields?: Fields
  readonly file?: Buffer | string
  readonly filename?: string
  readonly after?: Fields
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly pieces?: number
}

const anyKey = ['starts-with', '$key', '']

/** A form whose policy allows any key and what `conditions` say, with these fields and this file. */
function upload(key: string | undefined, options: Upload = {}): Promise<SignedAnswer> {
  const { fields = [], file = 'contents', filename, after, path = `/${bucket}`, conditions = [] } = options
  const signed = signForm({ bucket, ...options, conditions: [anyKey, ...conditions] })
  const all: Fields = [...(key === undefined ? [] : [['key', key] as const]), ...fields, ...signed]
  const { headers, pieces } = options
  return post(running, {
    path,
    body: formBody(all, file, filename, after),
    ...(headers === undefined ? {} : { headers }),
    ...(pieces === undefined ? {} : { pieces }),
  })
}

const stored = async (Key: string, Bucket = bucket): Promise<string | undefined> =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString()
const exists = (Key: string): Promise<boolean> =>
  s3.send(new HeadObjectCommand({ Bucket: bucket, Key })).then(
    () => true,
    () => false,
  )
const refusal = (answer: SignedAnswer): [number, string | undefined] => [answer.status, codeOf(answer)]
const messageOf = ({ bytes }: SignedAnswer): string => /<Message>([^<]*)</.exec(bytes.toString())?.[1] ?? ''

describe('B106 what a form stores', () => {
  test('its file under its key; 204, ETag and Location', async () => {
    const answer = await upload('plain.txt')
    expect(answer.status).toBe(204)
    expect(answer.headers['etag']).toBe(`"${createHash('md5').update('contents').digest('hex')}"`)
    expect(answer.headers['location']).toBe(`${running.endpoint}/${bucket}/plain.txt`)
    expect(await stored('plain.txt')).toBe('contents')
    // The store has seen none of it.
    const raw = await running.store.get(bucket, 'plain.txt')
    const pieces: Buffer[] = []
    for await (const batch of raw.body) pieces.push(...batch)
    expect(Buffer.concat(pieces).includes('contents')).toBe(false)
  })

  test('content headers, metadata and a checksum come from fields, in any case', async () => {
    const sha = createHash('sha256').update('contents').digest('base64')
    const fields: Fields = [
      ['Content-Type', 'text/x'],
      ['CACHE-CONTROL', 'no-store'],
      ['X-Amz-Meta-Colour', 'blau ü'],
      ['x-amz-checksum-algorithm', 'SHA256'],
      ['x-amz-checksum-sha256', sha],
      ['acl', 'private'],
    ]
    const conditions = [
      ['eq', '$content-TYPE', 'text/x'],
      ...['cache-control', 'x-amz-meta-colour', 'x-amz-checksum-algorithm', 'x-amz-checksum-sha256'].map((name) => [
        'starts-with',
        `$${name}`,
        '',
      ]),
      { ACL: 'private' },
    ]
    expect((await upload('described', { fields, conditions })).status).toBe(204)
    const found = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'described', ChecksumMode: 'ENABLED' }))
    expect(found).toMatchObject({ ContentType: 'text/x', CacheControl: 'no-store', ChecksumSHA256: sha })
    expect(found.Metadata?.['colour']).toBeDefined()
    const wrong = fields.map(
      ([name, value]) => [name, value === sha ? createHash('sha256').digest('base64') : value] as const,
    )
    expect(refusal(await upload('wrong-sum', { fields: wrong, conditions }))).toEqual([400, 'BadDigest'])
    expect(await exists('wrong-sum')).toBe(false)
  })

  test('${filename} is the name of the file without its path', async () => {
    expect((await upload('up/${filename}', { filename: 'C:\\x\\a b.txt' })).status).toBe(204)
    expect(await stored('up/a b.txt')).toBe('contents')
    expect((await upload('${filename}', { filename: '../../etc/passwd' })).status).toBe(204)
    expect(await stored('passwd')).toBe('contents')
  })

  test('fields after the file are ignored', async () => {
    expect(
      (
        await upload('after', {
          after: [
            ['acl', 'public-read'],
            ['key', 'other'],
          ],
        })
      ).status,
    ).toBe(204)
    expect([await exists('after'), await exists('other')]).toEqual([true, false])
  })

  test.each([1, 1000])('in whatever pieces it comes (%i bytes)', async (pieces) => {
    const file = Buffer.from(`${`\r\n--${BOUNDARY}`.slice(0, -1)}\r\n`.repeat(20))
    expect((await upload('pieces', { file, pieces })).status).toBe(204)
    expect(await stored('pieces')).toBe(file.toString())
  })

  test('more than one part of it, also without a length', async () => {
    const file = Buffer.alloc(20 * 1024 * 1024 + 17, 'large')
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      expect((await upload('large', { file, headers })).status).toBe(204)
      const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'large' }))
      expect(Buffer.from((await got.Body?.transformToByteArray()) ?? []).equals(file)).toBe(true)
    }
  })

  test('an empty file', async () => {
    expect((await upload('empty', { file: '' })).status).toBe(204)
    expect(await stored('empty')).toBe('')
  })

  test('many at once: each sets aside no more memory than it announces', async () => {
    const small = await startGateway({ gatherBytes: 16 * 1024 * 1024 })
    await small.client().send(new CreateBucketCommand({ Bucket: bucket }))
    const begun = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        const body = formBody([['key', `many/${n}`], ...signForm({ bucket, conditions: [anyKey] })], 'x'.repeat(1000))
        const connection = await RawConnection.open(small.port)
        const type = `multipart/form-data; boundary=${BOUNDARY}`
        connection.write(
          head('POST', `/${bucket}`, { host: 'x', 'content-type': type, 'content-length': String(body.length) }),
        )
        connection.write(body.subarray(0, -10))
        return { connection, rest: body.subarray(-10) }
      }),
    )
    expect(await Promise.race(begun.map(({ connection }) => connection.answer(300)))).toBeUndefined()
    for (const { connection, rest } of begun) {
      connection.write(rest)
      expect((await connection.answer())?.status).toBe(204)
      connection.close()
    }
    await small.close()
  })

  test('in virtual-host style too, under the host that was used', async () => {
    const answer = await upload('by host', { path: '/', headers: { host: `${bucket}.s3.test` } })
    expect([answer.status, answer.headers['location']]).toEqual([204, `http://${bucket}.s3.test/by%20host`])
    expect(await stored('by host')).toBe('contents')
  })
})

describe('B106 what a form is answered', () => {
  const status = ['starts-with', '$success_action_status', '']
  test.each([
    ['200', 200],
    ['201', 201],
    ['204', 204],
    ['404', 204],
    ['', 204],
  ])('success_action_status %j: %i', async (value, expected) => {
    const answer = await upload('a<b', { fields: [['success_action_status', value]], conditions: [status] })
    expect(answer.status).toBe(expected)
    const md5 = createHash('md5').update('contents').digest('hex')
    expect(answer.bytes.toString()).toBe(
      expected === 201
        ? `<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse><Location>${running.endpoint}/${bucket}/a%3Cb</Location><Bucket>${bucket}</Bucket><Key>a&lt;b</Key><ETag>&quot;${md5}&quot;</ETag></PostResponse>`
        : '',
    )
  })

  test.each(['success_action_redirect', 'redirect'])('%s: 303 with bucket, key and etag', async (name) => {
    const to = (value: string): Promise<SignedAnswer> =>
      upload('r&d', { fields: [[name, value]], conditions: [['starts-with', `$${name}`, '']] })
    const answer = await to('https://app.example.com/done?x=1#end')
    const etag = `%22${createHash('md5').update('contents').digest('hex')}%22`
    expect([answer.status, answer.headers['location']]).toEqual([
      303,
      `https://app.example.com/done?x=1&bucket=${bucket}&key=r%26d&etag=${etag}#end`,
    ])
    // What is no web address is taken for absent.
    for (const value of ['javascript:alert(1)', 'no address']) expect((await to(value)).status).toBe(204)
  })
})

describe('B106 what the policy does not allow', () => {
  test.each<[string, Upload & { key?: string }, number, string]>([
    [
      'a condition that does not hold',
      { conditions: [['eq', '$acl', 'private']], fields: [['acl', 'public-read']] },
      403,
      'AccessDenied',
    ],
    ['a prefix that is another', { conditions: [['starts-with', '$key', 'user/']] }, 403, 'AccessDenied'],
    [
      'a field that it has and the form has not',
      { conditions: [['starts-with', '$x-amz-meta-a', '']] },
      403,
      'AccessDenied',
    ],
    ['a field that it does not name', { fields: [['x-amz-meta-a', 'b']] }, 403, 'AccessDenied'],
    ['another bucket', { bucket: 'elsewhere' }, 403, 'AccessDenied'],
    ['no bucket', { policy: { expiration: '2999-01-01T00:00:00Z', conditions: [anyKey] } }, 403, 'AccessDenied'],
    ['its time is over', { now: Date.now() - 3_600_000 }, 403, 'AccessDenied'],
    ['made in the future', { now: Date.now() + 3_600_000 }, 403, 'AccessDenied'],
    ['a secret that is wrong', { secret: 'wrong' }, 403, 'SignatureDoesNotMatch'],
    ['an access key that nobody has', { accessKey: 'NOBODY' }, 403, 'InvalidAccessKeyId'],
    ['who may not write', { ...READER }, 403, 'AccessDenied'],
    ['who may write elsewhere', { ...TENANT }, 403, 'AccessDenied'],
    ['no JSON', { policy: '{' }, 400, 'InvalidPolicyDocument'],
    ['a list', { policy: [] }, 400, 'InvalidPolicyDocument'],
    ['no expiration', { policy: { conditions: [] } }, 400, 'InvalidPolicyDocument'],
    ['no conditions', { policy: { expiration: '2999-01-01T00:00:00Z' } }, 400, 'InvalidPolicyDocument'],
    [
      'an expiration that is none',
      { policy: { expiration: 'tomorrow', conditions: [] } },
      400,
      'InvalidPolicyDocument',
    ],
    [
      'members in other case',
      { policy: { EXPIRATION: '2999-01-01T00:00:00Z', conditions: [] } },
      400,
      'InvalidPolicyDocument',
    ],
    ['an empty condition', { conditions: [{}] }, 400, 'InvalidPolicyDocument'],
    ['an operator that is none', { conditions: [['ends-with', '$key', 'x']] }, 400, 'InvalidPolicyDocument'],
    ['a field without its dollar', { conditions: [['eq', 'key', 'x']] }, 400, 'InvalidPolicyDocument'],
    ['half a range', { conditions: [['content-length-range', 0]] }, 400, 'InvalidPolicyDocument'],
    ['a negative range', { conditions: [['content-length-range', -1, 0]] }, 400, 'InvalidPolicyDocument'],
    ['a token', { fields: [['x-amz-security-token', 'x']] }, 400, 'InvalidToken'],
  ])('%s', async (_what, options, status, code) => {
    expect(refusal(await upload('refused', options))).toEqual([status, code])
    expect(await exists('refused')).toBe(false)
  })

  test('the mismatch of a signature is told with what was signed', async () => {
    const text = (await upload('x', { secret: 'wrong' })).bytes.toString()
    expect(text).toMatch(/<StringToSign>[A-Za-z0-9+/=]+<\/StringToSign>/)
    expect(text).not.toContain(SECRET_KEY)
  })

  test('the tenant of a prefix writes below it', async () => {
    expect((await upload('tenant/a', { ...TENANT })).status).toBe(204)
  })

  test.each(['x-amz-signature', 'x-amz-credential', 'x-amz-date', 'x-amz-algorithm', 'policy'])(
    'without %s: InvalidArgument that names it',
    async (name) => {
      const fields = [['key', 'partly'] as const, ...signForm({ bucket, conditions: [anyKey] })].filter(
        ([one]) => one !== name,
      )
      const answer = await post(running, { path: `/${bucket}`, body: formBody(fields, 'x') })
      expect(refusal(answer)).toEqual([400, 'InvalidArgument'])
      expect(messageOf(answer)).toContain(`'${name}'`)
    },
  )

  test.each([
    ['x-amz-algorithm', 'AWS4-HMAC-SHA1'],
    ['x-amz-credential', 'SGTESTKEY'],
    ['x-amz-date', 'today'],
  ])('%s: %s is InvalidArgument', async (name, value) => {
    const fields = [['key', 'k'] as const, ...signForm({ bucket, conditions: [anyKey] })].map(
      ([one, old]) => [one, one === name ? value : old] as const,
    )
    expect(refusal(await post(running, { path: `/${bucket}`, body: formBody(fields, 'x') }))).toEqual([
      400,
      'InvalidArgument',
    ])
  })

  test('Signature Version 2 is refused by name', async () => {
    const fields: Fields = [
      ['key', 'v2'],
      ['AWSAccessKeyId', ACCESS_KEY],
      ['policy', 'e30='],
      ['signature', 'x'],
    ]
    const answer = await post(running, { path: `/${bucket}`, body: formBody(fields, 'x') })
    expect(answer.status).toBe(400)
    const bare: Fields = [
      ['key', 'v2'],
      ['AWSAccessKeyId', ACCESS_KEY],
      ['signature', 'x'],
    ]
    expect(messageOf(await post(running, { path: `/${bucket}`, body: formBody(bare, 'x') }))).toContain(
      'AWS4-HMAC-SHA256',
    )
  })

  test('without a key, or with one too long', async () => {
    expect(refusal(await upload(undefined))).toEqual([400, 'InvalidArgument'])
    expect(refusal(await upload(''))).toEqual([400, 'InvalidArgument'])
    expect(refusal(await upload('k'.repeat(1025)))).toEqual([400, 'KeyTooLongError'])
  })

  test('a field twice: neither counts', async () => {
    const conditions = [['starts-with', '$acl', '']]
    const fields: Fields = [
      ['acl', 'private'],
      ['ACL', 'private'],
    ]
    expect(refusal(await upload('twice', { fields, conditions }))).toEqual([400, 'InvalidArgument'])
  })

  test('a key below a prefix does not lead out of it where names are paths', async () => {
    const below = (key: string, filename = 'f') =>
      post(running, {
        path: `/${bucket}`,
        body: formBody(
          [['key', key], ...signForm({ bucket, conditions: [['starts-with', '$key', 'user/']] })],
          'x',
          filename,
        ),
      })
    expect(refusal(await below('user/../other'))).toEqual([403, 'AccessDenied'])
    expect(refusal(await below('user/${filename}', '..'))).toEqual([403, 'AccessDenied'])
    expect((await below('user/..other')).status).toBe(204)
    expect((await upload('any/../key')).status).toBe(204)
  })

  test.each([
    ['acl', 'private', 'x-amz-acl'],
    ['tagging', '<Tagging><TagSet/></Tagging>', 'x-amz-tagging'],
    ['x-amz-checksum-algorithm', 'CRC32', 'x-amz-sdk-checksum-algorithm'],
  ])('fields that mean the same are refused: %s and %s', async (name, value, other) => {
    const fields: Fields = [
      [name, value],
      [other, 'private'],
    ]
    const conditions = fields.map(([field]) => ['starts-with', `$${field}`, ''])
    const answer = await upload('same', { fields, conditions })
    expect([refusal(answer), messageOf(answer)]).toEqual([
      [400, 'InvalidArgument'],
      `The form has more than one field named '${other}'.`,
    ])
  })

  test('the document of tags is one of S3’s', async () => {
    for (const document of ['<Tagging/>', '<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>', 'a=b']) {
      const fields: Fields = [['tagging', document]]
      const answer = await upload('tags', { fields, conditions: [['starts-with', '$tagging', '']] })
      expect(refusal(answer)).toEqual([400, 'MalformedXML'])
    }
  })

  test('x-ignore-* need not be named; file and signature neither', async () => {
    expect((await upload('ignored', { fields: [['x-ignore-me', 'x']] })).status).toBe(204)
  })

  test('what is not built is refused, never ignored', async () => {
    for (const [name, value] of [
      ['x-amz-server-side-encryption-customer-algorithm', 'AES256'],
      ['x-amz-object-lock-mode', 'COMPLIANCE'],
      ['x-amz-tagging', 'a=b'],
      ['x-amz-unknown', 'x'],
    ] as const) {
      const answer = await upload('unbuilt', { fields: [[name, value]], conditions: [['starts-with', `$${name}`, '']] })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(await exists('unbuilt')).toBe(false)
    }
  })

  test('headers beside the form count for nothing, and are refused if they would mean something', async () => {
    for (const headers of [{ 'x-amz-acl': 'private' }, { 'if-none-match': '*' }, { 'x-amz-meta-a': 'b' }] as Record<
      string,
      string
    >[]) {
      const answer = await upload('headers', { headers })
      expect(answer.status).toBeGreaterThanOrEqual(400)
    }
    expect(refusal(await upload('headers', { headers: { authorization: 'AWS4-HMAC-SHA256 x' } }))).toEqual([
      400,
      'InvalidArgument',
    ])
  })
})

describe('B106 content-length-range', () => {
  const range = (least: unknown, most: unknown): Upload => ({ conditions: [['content-length-range', least, most]] })

  test('both ends are allowed', async () => {
    expect((await upload('exact', range(8, 8))).status).toBe(204)
    expect((await upload('exact', range('0', '1024'))).status).toBe(204)
  })

  test('more is EntityTooLarge, less is EntityTooSmall, and nothing is stored', async () => {
    const large = await upload('sized', range(0, 7))
    expect(refusal(large)).toEqual([400, 'EntityTooLarge'])
    expect(large.bytes.toString()).toContain('<MaxSizeAllowed>7</MaxSizeAllowed>')
    const small = await upload('sized', range(9, 100))
    expect(refusal(small)).toEqual([400, 'EntityTooSmall'])
    expect(small.bytes.toString()).toContain('<ProposedSize>8</ProposedSize><MinSizeAllowed>9</MinSizeAllowed>')
    expect(await exists('sized')).toBe(false)
  })

  test('is enforced while the file comes: nothing is left of the parts', async () => {
    const file = Buffer.alloc(18 * 1024 * 1024)
    const answer = await upload('streamed', { file, ...range(0, 17 * 1024 * 1024) })
    expect(refusal(answer)).toEqual([400, 'EntityTooLarge'])
    expect(refusal(await upload('streamed', { file, ...range(19 * 1024 * 1024, 1e9) }))).toEqual([
      400,
      'EntityTooSmall',
    ])
    expect(await exists('streamed')).toBe(false)
    expect((await running.store.listUploads(bucket, { prefix: '', limit: 10 })).uploads).toEqual([])
  })
})

describe('forms without a signature', () => {
  const anonymous = (Bucket: string, fields: Fields = []): Promise<SignedAnswer> =>
    post(running, { path: `/${Bucket}`, body: formBody([['key', 'left'], ...fields], 'here') })

  test('are denied', async () => {
    expect(refusal(await anonymous(bucket))).toEqual([403, 'AccessDenied'])
    expect(await exists('left')).toBe(false)
  })

  test('are taken where anybody may upload, with contents and metadata and nothing else', async () => {
    expect(
      (
        await anonymous('dropbox', [
          ['Content-Type', 'a/b'],
          ['x-amz-meta-from', 'me'],
        ])
      ).status,
    ).toBe(204)
    expect(await stored('left', 'dropbox')).toBe('here')
    for (const name of ['acl', 'tagging', 'x-amz-object-lock-mode', 'x-amz-server-side-encryption']) {
      const value = name === 'tagging' ? '<Tagging><TagSet/></Tagging>' : 'private'
      expect(refusal(await anonymous('dropbox', [[name, value]]))).toEqual([403, 'AccessDenied'])
    }
  })
})

describe('B107 what is no form', () => {
  test.each([
    ['another type', { 'content-type': 'text/plain' }, 412, 'PreconditionFailed'],
    ['no type', { 'content-type': '' }, 412, 'PreconditionFailed'],
    ['no boundary', { 'content-type': 'multipart/form-data' }, 400, 'MalformedPOSTRequest'],
    ['another boundary', { 'content-type': 'multipart/form-data; boundary=x' }, 400, 'MalformedPOSTRequest'],
  ])('%s', async (_what, headers, status, code) => {
    const answer = await upload('none', { headers })
    expect(refusal(answer)).toEqual([status, code])
    if (status === 412)
      expect(answer.bytes.toString()).toContain(
        '<Condition>Bucket POST must be of the enclosure-type multipart/form-data</Condition>',
      )
  })

  const type = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, host: 'x' }
  const raw = async (body: Buffer, headers: Record<string, string>, half = false) => {
    const connection = await RawConnection.open(running.port)
    connection.write(head('POST', `/${bucket}`, { ...type, ...headers }))
    connection.write(body)
    if (half) connection.end()
    const answer = await connection.answer()
    connection.close()
    return [answer?.status, /<Code>(\w+)</.exec(answer?.body ?? '')?.[1]]
  }
  const whole = (): Buffer =>
    formBody([['key', 'torn'], ...signForm({ bucket, conditions: [anyKey] })], 'x'.repeat(1000))

  test('a body that ends before its file does', async () => {
    const body = whole().subarray(0, -200)
    expect(await raw(body, { 'content-length': String(body.length) })).toEqual([400, 'MalformedPOSTRequest'])
    expect(await raw(body, { 'content-length': String(body.length + 500) }, true)).toEqual([400, 'IncompleteBody'])
    expect(await exists('torn')).toBe(false)
  })

  test('a body without a length', async () => {
    expect(await raw(Buffer.alloc(0), {})).toEqual([411, 'MissingContentLength'])
  })

  test('fields without an end', async () => {
    const body = Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n${'x'.repeat(100_000)}`)
    expect(await raw(body, { 'content-length': '1000000000' })).toEqual([400, 'MaxPostPreDataLengthExceededError'])
  })

  test('B23 a form that waits for 100 Continue is asked for its body, unless it is none', async () => {
    const connection = await RawConnection.open(running.port)
    const body = whole()
    const expecting = { ...type, expect: '100-continue', 'content-length': String(body.length) }
    connection.write(head('POST', `/${bucket}`, expecting))
    expect((await connection.answer())?.status).toBe(100)
    connection.write(body)
    expect((await connection.answer())?.status).toBe(204)
    connection.write(head('POST', `/${bucket}`, { ...expecting, 'content-type': 'text/plain' }))
    expect((await connection.answer())?.status).toBe(412)
    expect(await connection.closes()).toBe(true)
  })

  test('after a refusal the connection serves the next request', async () => {
    const connection = await RawConnection.open(running.port)
    const body = formBody([['key', 'next']], 'x'.repeat(100_000))
    for (let n = 0; n < 2; n += 1) {
      connection.write(head('POST', `/${bucket}`, { ...type, 'content-length': String(body.length) }))
      connection.write(body)
      expect((await connection.answer())?.status).toBe(403)
    }
    connection.close()
  })
})
