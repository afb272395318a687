/** Copies of objects and of parts. */
import { each, step } from './step.mjs'

const copy = (name, source, headers, more) =>
  step(`copies: ${name}`, 'PUT /diff-b/copy', { headers: { 'x-amz-copy-source': source, ...headers }, ...more })
const OTHER = '"00000000000000000000000000000000"'
const PAST = 'Sat, 01 Jan 2000 00:00:00 GMT'
const FUTURE = 'Thu, 01 Jan 2037 00:00:00 GMT'

export const COPIES = [
  step('copies: the source', 'PUT /diff-a/source', {
    body: 'hello',
    headers: { 'content-type': 'text/x', 'x-amz-meta-a': 'b' },
    save: { sourceEtag: 'etag' },
  }),
  copy('plain', '/diff-a/source'),
  step('copies: get the copy', 'GET /diff-b/copy'),
  copy('without leading slash', 'diff-a/source'),
  copy('encoded', '%2Fdiff-a%2Fsource'),
  copy('with the null version', 'diff-a/source?versionId=null'),
  copy('with a version of nobody', 'diff-a/source?versionId=nonsense'),
  copy('of nothing', 'diff-a/none'),
  copy('from no bucket', 'diff-missing/source'),
  copy('without a key', 'diff-a'),
  copy('with an empty key', 'diff-a/'),
  copy('of an empty source', ''),
  copy('with bad escapes', 'diff-a/%zz'),
  copy('into no bucket', 'diff-a/source', {}, { request: 'PUT /diff-missing/copy' }),
  copy('with REPLACE', 'diff-a/source', {
    'x-amz-metadata-directive': 'REPLACE',
    'content-type': 'text/y',
    'x-amz-meta-c': 'd',
  }),
  step('copies: head the replaced', 'HEAD /diff-b/copy'),
  copy('with COPY and new metadata', 'diff-a/source', { 'x-amz-metadata-directive': 'COPY', 'x-amz-meta-c': 'd' }),
  step('copies: head the kept', 'HEAD /diff-b/copy'),
  copy('with no directive of S3', 'diff-a/source', { 'x-amz-metadata-directive': 'MERGE' }),
  copy('with tagging directive', 'diff-a/source', { 'x-amz-tagging-directive': 'COPY' }),
  copy('with a checksum algorithm', 'diff-a/source', { 'x-amz-checksum-algorithm': 'SHA256' }),
  step('copies: head with that checksum', 'HEAD /diff-b/copy', { headers: { 'x-amz-checksum-mode': 'ENABLED' } }),
  step('copies: onto itself', 'PUT /diff-a/source', { headers: { 'x-amz-copy-source': 'diff-a/source' } }),
  step('copies: onto itself with REPLACE', 'PUT /diff-a/source', {
    headers: { 'x-amz-copy-source': 'diff-a/source', 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-a': 'c' },
  }),
  step('copies: head for the etag', 'HEAD /diff-a/source', { save: { sourceEtag: 'etag' } }),
  copy('if-match', 'diff-a/source', { 'x-amz-copy-source-if-match': '{sourceEtag}' }),
  copy('if-match other', 'diff-a/source', { 'x-amz-copy-source-if-match': OTHER }),
  copy('if-none-match', 'diff-a/source', { 'x-amz-copy-source-if-none-match': '{sourceEtag}' }),
  copy('if-none-match other', 'diff-a/source', { 'x-amz-copy-source-if-none-match': OTHER }),
  copy('if-modified-since past', 'diff-a/source', { 'x-amz-copy-source-if-modified-since': PAST }),
  copy('if-modified-since future', 'diff-a/source', { 'x-amz-copy-source-if-modified-since': FUTURE }),
  copy('if-unmodified-since past', 'diff-a/source', { 'x-amz-copy-source-if-unmodified-since': PAST }),
  copy('if-unmodified-since future', 'diff-a/source', { 'x-amz-copy-source-if-unmodified-since': FUTURE }),
  copy('to a target that exists, if-none-match *', 'diff-a/source', { 'if-none-match': '*' }),
  copy('with a body', 'diff-a/source', {}, { body: 'unexpected' }),
  copy('of a multipart object', 'diff-a/multi'),
  step('copies: a source on a get', 'GET /diff-a/source', { headers: { 'x-amz-copy-source': 'diff-a/source' } }),
  step('copies: a source on create upload', 'POST /diff-b/parts?uploads', {
    headers: { 'x-amz-copy-source': 'diff-a/source' },
  }),
  step('copies: begin parts', 'POST /diff-b/parts?uploads', { save: { copyUpload: /<UploadId>(.*?)</ } }),
  ...each(
    [
      undefined,
      'bytes=0-1',
      'bytes=0-4',
      'bytes=0-5',
      'bytes=9-10',
      'bytes=0-',
      'bytes=-2',
      '0-2',
      'bytes=2-1',
      'bytes=0-1,3-4',
      '',
    ],
    (range) =>
      step(`copies: part with range ${range}`, 'PUT /diff-b/parts?partNumber=1&uploadId={copyUpload}', {
        headers: {
          'x-amz-copy-source': 'diff-a/source',
          ...(range !== undefined && { 'x-amz-copy-source-range': range }),
        },
      }),
  ),
  step('copies: part of nothing', 'PUT /diff-b/parts?partNumber=1&uploadId={copyUpload}', {
    headers: { 'x-amz-copy-source': 'diff-a/none' },
  }),
  step('copies: part if-match other', 'PUT /diff-b/parts?partNumber=1&uploadId={copyUpload}', {
    headers: { 'x-amz-copy-source': 'diff-a/source', 'x-amz-copy-source-if-match': OTHER },
  }),
  step('copies: part of no upload', 'PUT /diff-b/parts?partNumber=1&uploadId=nonsense', {
    headers: { 'x-amz-copy-source': 'diff-a/source' },
  }),
  step('copies: abort parts', 'DELETE /diff-b/parts?uploadId={copyUpload}'),
]
