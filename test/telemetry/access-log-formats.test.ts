import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OPERATION_NAMES } from '../../src/s3/operation-name.ts'
import { ACCESS_FORMATS, type AccessFormat, formatOf } from '../../src/telemetry/access-log/formats.ts'
import { s3OperationOf } from '../../src/telemetry/access-log/s3-operations.ts'
import type { RequestEvent } from '../../src/telemetry/channels.ts'
import { type EventParts, requestEvent } from '../helpers/request-event.ts'

const OWNER = '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be'
const line = (format: AccessFormat, parts?: EventParts): string => formatOf(format, OWNER)(requestEvent(parts))

/** The pattern of Amazon's own guide to querying these logs, with the fields that came later. */
const S3_LINE =
  /^([^ ]*) ([^ ]*) \[(.*?)\] ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ("[^"]*"|-) (-|[0-9]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ("[^"]*"|-) ("[^"]*"|-) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*)$/
/** Apache's combined format. */
const COMBINED =
  /^([^ ]+) ([^ ]+) ([^ ]+) \[(\d{2}\/[A-Z][a-z]{2}\/\d{4}:\d{2}:\d{2}:\d{2} \+0000)\] "((?:[^"\\]|\\.)*)" (\d{3}) (-|\d+)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?$/

describe('the access log in the format', () => {
  test('s3 has the 27 fields of Amazon S3 in their order', () => {
    const parts: EventParts = {
      meter: { sentBytes: 2_662_992 },
      objectBytes: 3_462_992,
      turnAroundMilliseconds: 10.2,
      versionId: '3HL4kqtJvjVBH40Nrjfkd',
      client: {
        referer: 'http://www.example.com/webservices',
        tls: { version: 'TLSv1.2', cipher: 'ECDHE-RSA-AES128-GCM-SHA256' },
      },
    }
    expect(line('s3', parts)).toBe(
      `${OWNER} photos [06/Feb/2019:00:00:38 +0000] 192.0.2.3 AKIDEXAMPLE 3E57427F3EXAMPLE REST.GET.OBJECT 2019/puppy.jpg ` +
        '"GET /photos/2019/puppy.jpg?x-foo=bar HTTP/1.1" 200 - 2662992 3462992 70 10 "http://www.example.com/webservices" "curl/7.15.1" ' +
        '3HL4kqtJvjVBH40Nrjfkd s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROu/XV/VLi31234= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader s3.example.internal:8080 TLSv1.2 - - -',
    )
    expect(S3_LINE.exec(line('s3', parts))).toHaveLength(28)
  })

  test('s3 writes - for what is unknown', () => {
    const { bucket: _, key: _k, accessKey: _a, auth: _b, ...bare } = requestEvent()
    const event: RequestEvent = { ...bare, operation: 'unknown', status: 400, code: 'InvalidURI', hostId: '' }
    const client = { ...event.client(), address: '', userAgent: undefined, host: '' }
    expect(formatOf('s3', OWNER)({ ...event, client: () => client })).toBe(
      `${OWNER} - [06/Feb/2019:00:00:38 +0000] - - 3E57427F3EXAMPLE - - "GET /photos/2019/puppy.jpg?x-foo=bar HTTP/1.1" 400 InvalidURI - - 70 - "-" "-" - - - - - - - - - -`,
    )
  })

  test('s3 tells signed URLs, and of forms neither header nor query', () => {
    expect(line('s3', { auth: 'QueryString' })).toContain(' SigV4 - QueryString ')
    expect(line('s3', { auth: 'PostPolicy' })).toContain(' SigV4 - - ')
  })

  test('clf and combined are those of Apache', () => {
    const parts: EventParts = { meter: { sentBytes: 5 }, client: { userAgent: 'a "b" \\ \r\nc\u001b[31m\u009b é' } }
    const clf =
      '192.0.2.3 - AKIDEXAMPLE [06/Feb/2019:00:00:38 +0000] "GET /photos/2019/puppy.jpg?x-foo=bar HTTP/1.1" 200 5'
    expect(line('clf', parts)).toBe(clf)
    expect(line('combined', parts)).toBe(`${clf} "-" "a \\"b\\" \\\\ \\x0d\\x0ac\\x1b[31m\\xc2\\x9b \\xc3\\xa9"`)
  })

  test('json has names, numbers, and what no other format has', () => {
    const parts: EventParts = {
      meter: { sentBytes: 5, storeMilliseconds: 1.234 },
      disconnected: true,
      client: { userAgent: 'é\u009b' },
    }
    expect(line('json', parts)).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(line('json', parts))).toEqual({
      time: '2019-02-06T00:00:38.123Z',
      requestId: '3E57427F3EXAMPLE',
      address: '192.0.2.3',
      operation: 'GetObject',
      method: 'GET',
      bucket: 'photos',
      key: '2019/puppy.jpg',
      target: '/photos/2019/puppy.jpg?x-foo=bar',
      httpVersion: '1.1',
      host: 's3.example.internal:8080',
      accessKey: 'AKIDEXAMPLE',
      auth: 'AuthHeader',
      status: 200,
      disconnected: true,
      receivedBytes: 0,
      sentBytes: 5,
      ms: 70.4,
      storeMs: 1.2,
      cipherMs: 0,
      keyMs: 0,
      userAgent: 'é\u009b',
    })
  })
})

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('\r', '\n', '"', '\\', ' ', '\u001b[2J', '\0', '\u2028', '\u202e', '\ud800', '[', ']', '%'),
  }),
)

describe('whatever a client sends', () => {
  test.each(ACCESS_FORMATS)('a line of %s is one line of printable ASCII that its readers can take apart', (format) => {
    fc.assert(
      fc.property(
        fc.array(hostile, { minLength: 8, maxLength: 8 }),
        ([key, agent, referer, host, bucket, access, target, version]) => {
          const written = line(format, {
            key: key!,
            bucket: bucket!,
            accessKey: access!,
            versionId: version!,
            client: { userAgent: agent, referer, host: host!, target: target! },
          })
          expect(written).toMatch(/^[\x20-\x7e]+$/)
          if (format === 'json') expect(JSON.parse(written)).toMatchObject({ status: 200, userAgent: agent })
          else if (format === 's3') expect(S3_LINE.exec(written)?.[10]).toBe('200')
          else expect(COMBINED.exec(written)?.[6]).toBe('200')
        },
      ),
    )
  })

  test.each(ACCESS_FORMATS)('a line of %s is bounded', (format) => {
    const long = '\u001b'.repeat(1024 * 1024)
    const client = { userAgent: long, referer: long, host: long, target: long }
    const written = line(format, { key: long, bucket: long, accessKey: long, versionId: long, client })
    expect(written.length).toBeLessThan(100_000)
  })
})

test('every operation has a name of S3', () => {
  const names = OPERATION_NAMES.map((name) => s3OperationOf(name, 'GET'))
  for (const name of names) expect(name).toMatch(/^REST\.[A-Z]+\.[A-Z_]+$/)
  const known = Object.fromEntries(
    (
      [
        ['UploadPart', 'PUT'],
        ['CompleteMultipartUpload', 'POST'],
        ['GetBucketVersioning', 'GET'],
        ['GetBucketPolicy', 'GET'],
        ['GetBucketLogging', 'GET'],
        ['GetObjectTagging', 'GET'],
        ['GetBucketTagging', 'GET'],
        ['GetBucketLocation', 'GET'],
        ['GetPublicAccessBlock', 'GET'],
        ['GetBucketRequestPayment', 'GET'],
        ['DeleteObjects', 'POST'],
      ] as const
    ).map(([name, method]) => [name, s3OperationOf(name, method)]),
  )
  expect(known).toEqual({
    UploadPart: 'REST.PUT.PART',
    CompleteMultipartUpload: 'REST.POST.UPLOAD',
    GetBucketVersioning: 'REST.GET.VERSIONING',
    GetBucketPolicy: 'REST.GET.BUCKETPOLICY',
    GetBucketLogging: 'REST.GET.LOGGING_STATUS',
    GetObjectTagging: 'REST.GET.OBJECT_TAGGING',
    GetBucketTagging: 'REST.GET.TAGGING',
    GetBucketLocation: 'REST.GET.LOCATION',
    GetPublicAccessBlock: 'REST.GET.PUBLIC_ACCESS_BLOCK',
    GetBucketRequestPayment: 'REST.GET.REQUEST_PAYMENT',
    DeleteObjects: 'REST.POST.MULTI_OBJECT_DELETE',
  })
})
