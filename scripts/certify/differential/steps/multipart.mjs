/** Multipart uploads. */
import { bytes, each, md5, step } from './step.mjs'

const PART = bytes(5 * 2 ** 20)
const UNSIGNED = { payload: 'UNSIGNED-PAYLOAD' }
const document = (...parts) =>
  `<CompleteMultipartUpload>${parts.map(([number, etag, more = '']) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more}</Part>`).join('')}</CompleteMultipartUpload>`
const complete = (name, upload, body, more) =>
  step(`multipart: complete ${name}`, `POST /diff-a/multi?uploadId={${upload}}`, { body, ...more })
const part = (name, upload, number, body, more) =>
  step(`multipart: part ${name}`, `PUT /diff-a/multi?partNumber=${number}&uploadId={${upload}}`, {
    body,
    ...UNSIGNED,
    ...more,
  })
const begin = (name, upload, headers) =>
  step(`multipart: begin ${name}`, 'POST /diff-a/multi?uploads', { headers, save: { [upload]: /<UploadId>(.*?)</ } })

export const MULTIPART = [
  step('multipart: list of no uploads', 'GET /diff-a?uploads'),
  begin('an upload', 'u1', { 'content-type': 'text/x', 'x-amz-meta-a': 'b' }),
  step('multipart: list parts of none', 'GET /diff-a/multi?uploadId={u1}'),
  complete('nothing', 'u1', document()),
  complete('without a body', 'u1', ''),
  complete('with bad XML', 'u1', '<Complete'),
  complete('with another document', 'u1', '<Other/>'),
  complete('a part that is not there', 'u1', document([1, '00000000000000000000000000000000'])),
  part('one', 'u1', 1, PART, { save: { p1: 'etag' } }),
  part('two', 'u1', 2, 'the end', { save: { p2: 'etag' } }),
  part('three, unused', 'u1', 3, 'unused', { save: { p3: 'etag' } }),
  part('two again', 'u1', 2, 'the real end', { save: { p2: 'etag' } }),
  part('with md5', 'u1', 4, 'four', { headers: { 'content-md5': md5('four') } }),
  part('with wrong md5', 'u1', 5, 'five', { headers: { 'content-md5': md5('six') } }),
  ...each(['0', '10001', '-1', 'a', ''], (number) => part(`number ${number}`, 'u1', number, 'x')),
  step('multipart: part of no upload', 'PUT /diff-a/multi?partNumber=1&uploadId=nonsense', { body: 'x' }),
  step('multipart: part of an upload of another key', 'PUT /diff-a/other?partNumber=1&uploadId={u1}', { body: 'x' }),
  step('multipart: part without number', 'PUT /diff-a/multi?uploadId={u1}', { body: 'x' }),
  step('multipart: number without upload', 'PUT /diff-a/multi?partNumber=1', { body: 'x' }),
  step('multipart: part into no bucket', 'PUT /diff-missing/multi?partNumber=1&uploadId={u1}', { body: 'x' }),
  step('multipart: list parts', 'GET /diff-a/multi?uploadId={u1}'),
  ...each(
    [
      'max-parts=1',
      'max-parts=0',
      'max-parts=1001',
      'max-parts=-1',
      'max-parts=a',
      'part-number-marker=1',
      'part-number-marker=9',
      'part-number-marker=a',
      'max-parts=1&part-number-marker=1',
      'encoding-type=url',
    ],
    (query) => step(`multipart: list parts ${query}`, `GET /diff-a/multi?uploadId={u1}&${query}`),
  ),
  step('multipart: list parts of no upload', 'GET /diff-a/multi?uploadId=nonsense'),
  begin('a second upload', 'u2', {}),
  step('multipart: begin on another key', 'POST /diff-a/multi/other?uploads', { save: { u3: /<UploadId>(.*?)</ } }),
  step('multipart: list uploads', 'GET /diff-a?uploads'),
  ...each(
    [
      'prefix=multi',
      'prefix=multi/',
      'prefix=none',
      'delimiter=/',
      'max-uploads=1',
      'max-uploads=0',
      'max-uploads=a',
      'key-marker=multi',
      'key-marker=multi&upload-id-marker={u1}',
      'upload-id-marker={u1}',
      'encoding-type=url',
    ],
    (query) => step(`multipart: list uploads ${query}`, `GET /diff-a?uploads&${query}`),
  ),
  step('multipart: list uploads on a key', 'GET /diff-a/multi?uploads'),
  step('multipart: list uploads of no bucket', 'GET /diff-missing?uploads'),
  step('multipart: the object is not there yet', 'HEAD /diff-a/multi'),
  complete('in wrong order', 'u1', document([2, '{p2}'], [1, '{p1}'])),
  complete('with a wrong etag', 'u1', document([1, '{p2}'], [2, '{p2}'])),
  complete('with part 0', 'u1', document([0, '{p1}'])),
  complete('with a small part before the last', 'u1', document([2, '{p2}'], [3, '{p3}'])),
  complete('of no upload', 'none', document([1, '{p1}'])),
  complete('the parts', 'u1', document([1, '{p1}'], [2, '{p2}'])),
  complete('again', 'u1', document([1, '{p1}'], [2, '{p2}'])),
  step('multipart: head', 'HEAD /diff-a/multi'),
  ...each(['1', '2', '3'], (number) => step(`multipart: get part ${number}`, `GET /diff-a/multi?partNumber=${number}`)),
  step('multipart: head part 2', 'HEAD /diff-a/multi?partNumber=2'),
  step('multipart: a range across parts', 'GET /diff-a/multi', { headers: { range: 'bytes=5242875-5242885' } }),
  step('multipart: list it', 'GET /diff-a?prefix=multi'),
  step('multipart: attributes', 'GET /diff-a/multi?attributes', {
    headers: { 'x-amz-object-attributes': 'ETag,ObjectParts,ObjectSize' },
  }),
  part('of the second', 'u2', 1, 'second', { save: { p8: 'etag' } }),
  complete('if-none-match * on something', 'u2', document([1, '{p8}']), { headers: { 'if-none-match': '*' } }),
  step('multipart: abort', 'DELETE /diff-a/multi?uploadId={u2}'),
  step('multipart: abort again', 'DELETE /diff-a/multi?uploadId={u2}'),
  step('multipart: abort nonsense', 'DELETE /diff-a/multi?uploadId=nonsense'),
  step('multipart: abort on another key', 'DELETE /diff-a/multi/wrong?uploadId={u3}'),
  step('multipart: abort the other', 'DELETE /diff-a/multi/other?uploadId={u3}'),
  part('after abort', 'u2', 1, 'x'),
  begin('for a part twice', 'u6', {}),
  part('to be named twice', 'u6', 1, 'twice', { save: { p6: 'etag' } }),
  complete('a part twice', 'u6', document([1, '{p6}'], [1, '{p6}'])),
  complete('with wrong object size', 'u6', document([1, '{p6}']), { headers: { 'x-amz-mp-object-size': '99' } }),
  begin('a one-part upload', 'u4', {}),
  part('of one-part', 'u4', 1, 'alone', { save: { p4: 'etag' } }),
  complete('one part, unquoted etag', 'u4', document([1, '{p4}'])),
  begin('an empty part', 'u5', {}),
  part('of nothing', 'u5', 1, '', { save: { p5: 'etag' } }),
  complete('an empty part', 'u5', document([1, '{p5}'])),
  ...each(
    [
      ['CRC32', undefined],
      ['CRC32', 'FULL_OBJECT'],
      ['SHA256', undefined],
      ['SHA256', 'FULL_OBJECT'],
      ['CRC64NVME', undefined],
      ['CRC64NVME', 'COMPOSITE'],
      ['CRC16', undefined],
    ],
    ([name, type]) =>
      begin(`with ${name} ${type ?? ''}`, `u${name}${type ?? ''}`, {
        'x-amz-checksum-algorithm': name,
        ...(type && { 'x-amz-checksum-type': type }),
      }),
  ),
  part('with crc32', 'uCRC32', 1, 'hello', { headers: { 'x-amz-checksum-crc32': 'NhCmhg==' }, save: { p7: 'etag' } }),
  step('multipart: list parts with crc32', 'GET /diff-a/multi?uploadId={uCRC32}'),
  complete('with crc32 of the part', 'uCRC32', document([1, '{p7}', '<ChecksumCRC32>NhCmhg==</ChecksumCRC32>'])),
  step('multipart: head with checksum', 'HEAD /diff-a/multi', { headers: { 'x-amz-checksum-mode': 'ENABLED' } }),
]
