/** Deletes, one by one and many at once. */
import { each, md5, step } from './step.mjs'

const many = (name, body, headers = { 'content-md5': md5(body) }) =>
  step(`deletes: ${name}`, 'POST /diff-b?delete', { body, headers })
const objects = (...keys) => keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')

export const DELETES = [
  ...each(['d1', 'd2', 'd3', 'd4'], (key) => step(`deletes: put ${key}`, `PUT /diff-b/${key}`, { body: key })),
  step('deletes: one', 'DELETE /diff-b/d1'),
  step('deletes: it again', 'DELETE /diff-b/d1'),
  step('deletes: in no bucket', 'DELETE /diff-missing/d1'),
  step('deletes: the null version', 'DELETE /diff-b/d2?versionId=null'),
  step('deletes: a version of nobody', 'DELETE /diff-b/d3?versionId=nonsense'),
  many('two and one that is missing', `<Delete>${objects('d3', 'd4', 'none')}</Delete>`),
  many('quietly', `<Delete><Quiet>true</Quiet>${objects('none')}</Delete>`),
  many('nothing', '<Delete></Delete>'),
  many('with an empty key', '<Delete><Object><Key></Key></Object></Delete>'),
  many('with bad XML', '<Delete><Object>'),
  many('with another document', '<Other/>'),
  many('a thousand and one', `<Delete>${objects(...Array.from({ length: 1001 }, (_, i) => `k${i}`))}</Delete>`),
  many(
    'a thousand',
    `<Delete><Quiet>true</Quiet>${objects(...Array.from({ length: 1000 }, (_, i) => `k${i}`))}</Delete>`,
  ),
  many('without a digest', `<Delete>${objects('none')}</Delete>`, {}),
  many('with a wrong md5', `<Delete>${objects('none')}</Delete>`, { 'content-md5': md5('other') }),
  many('with a checksum', `<Delete>${objects('none')}</Delete>`, { 'x-amz-checksum-crc32': 'AAAAAA==' }),
  many('with escapes', `<Delete>${objects('a&amp;b', '&lt;', '&#x1F600;')}</Delete>`),
  many('an unknown version', '<Delete><Object><Key>none</Key><VersionId>nonsense</VersionId></Object></Delete>'),
  many('with an etag that is not its', '<Delete><Object><Key>copy</Key><ETag>"x"</ETag></Object></Delete>'),
  step('deletes: a key too long', `DELETE /diff-b/${'k'.repeat(1025)}`),
  step('deletes: bucket that is not empty', 'DELETE /diff-a'),
]
