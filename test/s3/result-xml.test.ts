import { describe, expect, test } from 'vitest'
import {
  renderComplete,
  renderCopyObject,
  renderCopyPart,
  renderDelete,
  renderError,
  renderInitiateUpload,
  renderLocation,
} from '../../src/s3/result-xml.ts'

const NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
const XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
const WHEN = new Date('2024-05-06T07:08:09.123Z')
const CHECKSUM = { name: 'CRC32', type: 'COMPOSITE', value: Buffer.alloc(4), parts: 2 } as const

describe('Result documents', () => {
  test('CopyObject', () => {
    expect(renderCopyObject({ etag: 'a', lastModified: WHEN, checksum: CHECKSUM })).toBe(
      `${XML}<CopyObjectResult ${NS}><LastModified>2024-05-06T07:08:09.000Z</LastModified><ETag>&quot;a&quot;</ETag><ChecksumCRC32>AAAAAA==-2</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></CopyObjectResult>`,
    )
  })

  test('UploadPartCopy, whose checksum has no type', () => {
    expect(renderCopyPart({ etag: 'a', lastModified: WHEN, checksum: CHECKSUM })).toBe(
      `${XML}<CopyPartResult ${NS}><LastModified>2024-05-06T07:08:09.000Z</LastModified><ETag>&quot;a&quot;</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></CopyPartResult>`,
    )
  })

  test('CreateMultipartUpload', () => {
    expect(renderInitiateUpload({ bucket: 'b', key: '<k>', uploadId: 'u' })).toBe(
      `${XML}<InitiateMultipartUploadResult ${NS}><Bucket>b</Bucket><Key>&lt;k&gt;</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`,
    )
  })

  test('CompleteMultipartUpload, without its declaration if that was sent before (B65)', () => {
    const result = { location: 'http://h/b/k', bucket: 'b', key: 'k', etag: 'a-2', checksum: CHECKSUM }
    const body = `<CompleteMultipartUploadResult ${NS}><Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key><ETag>&quot;a-2&quot;</ETag><ChecksumCRC32>AAAAAA==-2</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></CompleteMultipartUploadResult>`
    expect(renderComplete(result)).toBe(XML + body)
    expect(renderComplete(result, { declaration: false })).toBe(body)
  })

  test('DeleteObjects, quiet or not (B62)', () => {
    const errors = [{ key: 'c', code: 'AccessDenied', message: 'Access Denied' }] as const
    const error = '<Error><Key>c</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
    expect(renderDelete({ deleted: [{ key: 'a\u0001' }, { key: 'b' }], errors, quiet: false })).toBe(
      `${XML}<DeleteResult ${NS}><Deleted><Key>a&#x1;</Key></Deleted><Deleted><Key>b</Key></Deleted>${error}</DeleteResult>`,
    )
    expect(renderDelete({ deleted: [{ key: 'a' }], errors, quiet: true })).toBe(
      `${XML}<DeleteResult ${NS}>${error}</DeleteResult>`,
    )
  })

  test('GetBucketLocation is empty for us-east-1 (B96)', () => {
    expect(renderLocation('eu-west-1')).toBe(`${XML}<LocationConstraint ${NS}>eu-west-1</LocationConstraint>`)
    for (const region of ['us-east-1', undefined]) {
      expect(renderLocation(region)).toBe(`${XML}<LocationConstraint ${NS}></LocationConstraint>`)
    }
  })

  test('errors have no namespace, and the request id of the header (B21)', () => {
    const error = {
      code: 'NoSuchKey',
      message: 'none',
      resource: '/b/<k>',
      requestId: 'r',
      hostId: 'h',
      extra: { Key: 'k&' },
    } as const
    const body =
      '<Error><Code>NoSuchKey</Code><Message>none</Message><Key>k&amp;</Key><Resource>/b/&lt;k&gt;</Resource><RequestId>r</RequestId><HostId>h</HostId></Error>'
    expect(renderError(error)).toBe(XML + body)
    expect(renderError(error, { declaration: false })).toBe(body)
  })

  test('errors can be read by every parser, whatever they quote (B20)', () => {
    const error = { code: 'InvalidArgument', message: 'a\u0000b', requestId: 'r', hostId: 'h' } as const
    const body = renderError({ ...error, extra: { ArgumentValue: '\u0001\ufffe\ud800\t<ü' } })
    expect(body).toContain('<Message>a\ufffdb</Message>')
    expect(body).toContain('<ArgumentValue>\ufffd\ufffd\ufffd&#x9;&lt;ü</ArgumentValue>')
  })
})
