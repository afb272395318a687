/** Tags and ACLs of objects, and tags of buckets. */
import { config, each, step, versioning } from './step.mjs'

const tags = (...pairs) =>
  `<Tagging><TagSet>${pairs.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('')}</TagSet></Tagging>`
const many = (count) => Array.from({ length: count }, (_, i) => [`k${i}`, 'v'])
const query = (pairs) => pairs.map(([key, value]) => `${key}=${value}`).join('&')

/** Values of `x-amz-tagging`, by what is the matter with them. */
const HEADERS = {
  'letters of another script': '%E5%90%8D=%C3%A9',
  'a bad escape': 'a=%zz',
  'no name': '=1',
  'a sign of no tag': 'a*=1',
  'a name of the system': 'aws:a=1',
  'a long name': `${'k'.repeat(129)}=v`,
  'eleven tags': query(many(11)),
  'the same name twice': 'a=1&a=2',
}

const BY_VERSION = [
  step('tags: create bucket of versions', 'PUT /diff-tv'),
  config('tags: enable versions', 'PUT /diff-tv?versioning', versioning('Enabled')),
  step('tags: put one version', 'PUT /diff-tv/k', {
    body: 'one',
    headers: { 'x-amz-tagging': 'v=1' },
    save: { t1: 'x-amz-version-id' },
  }),
  step('tags: put another version', 'PUT /diff-tv/k', { body: 'two', headers: { 'x-amz-tagging': 'v=2' } }),
  config('tags: put of one version', 'PUT /diff-tv/k?tagging&versionId={t1}', tags(['v', 'one'])),
  step('tags: get of one version', 'GET /diff-tv/k?tagging&versionId={t1}'),
  step('tags: get of the newest version', 'GET /diff-tv/k?tagging'),
  step('tags: delete of one version', 'DELETE /diff-tv/k?tagging&versionId={t1}'),
  step('tags: get of one version without', 'GET /diff-tv/k?tagging&versionId={t1}'),
  step('tags: get of a version that is none', 'GET /diff-tv/k?tagging&versionId=nonsense'),
  step('tags: delete the key', 'DELETE /diff-tv/k', { save: { tm: 'x-amz-version-id' } }),
  ...each(['', '&versionId={tm}'], (which) =>
    step(`tags: get of a delete marker ${which}`, `GET /diff-tv/k?tagging${which}`),
  ),
  ...each(['', '&versionId={tm}'], (which) =>
    config(`tags: put of a delete marker ${which}`, `PUT /diff-tv/k?tagging${which}`, tags(['k', 'v'])),
  ),
  ...each(['', '&versionId={tm}'], (which) =>
    step(`tags: delete of a delete marker ${which}`, `DELETE /diff-tv/k?tagging${which}`),
  ),
]

export const OBJECT_TAGS = [
  step('tags: put an object', 'PUT /diff-b/tagged', { body: 'x', headers: { 'x-amz-tagging': 'a=1&b=2' } }),
  step('tags: put an object for other scripts', 'PUT /diff-b/tagged-script', { body: 'x' }),
  step('tags: get', 'GET /diff-b/tagged?tagging'),
  step('tags: head counts', 'HEAD /diff-b/tagged'),
  config('tags: put', 'PUT /diff-b/tagged?tagging', tags(['k', 'v'])),
  step('tags: get what was put', 'GET /diff-b/tagged?tagging'),
  config('tags: put eleven', 'PUT /diff-b/tagged?tagging', tags(...many(11))),
  config('tags: put twice the same', 'PUT /diff-b/tagged?tagging', tags(['k', 'v'], ['k', 'w'])),
  config('tags: put a long key', 'PUT /diff-b/tagged?tagging', tags(['k'.repeat(129), 'v'])),
  config('tags: put a long value', 'PUT /diff-b/tagged?tagging', tags(['k', 'v'.repeat(257)])),
  config('tags: put no key', 'PUT /diff-b/tagged?tagging', tags(['', 'v'])),
  config('tags: put a sign of no tag', 'PUT /diff-b/tagged?tagging', tags(['a*', 'v'])),
  config('tags: put a name of the system', 'PUT /diff-b/tagged?tagging', tags(['aws:a', 'v'])),
  config('tags: put bad XML', 'PUT /diff-b/tagged?tagging', '<Tagging'),
  config('tags: put no set', 'PUT /diff-b/tagged?tagging', '<Tagging/>'),
  step('tags: put with a wrong md5', 'PUT /diff-b/tagged?tagging', {
    body: tags(['k', 'v']),
    headers: { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' },
  }),
  config('tags: put letters of another script', 'PUT /diff-b/tagged-script?tagging', tags(['名', 'é'])),
  step('tags: put without md5', 'PUT /diff-b/tagged?tagging', { body: tags(['a b', '1 + 1 = 2']) }),
  step('tags: get what came without md5', 'GET /diff-b/tagged?tagging'),
  step('tags: copy', 'PUT /diff-b/tagged-copy', { headers: { 'x-amz-copy-source': 'diff-b/tagged' } }),
  step('tags: get of the copy', 'GET /diff-b/tagged-copy?tagging'),
  step('tags: copy with others', 'PUT /diff-b/tagged-copy', {
    headers: { 'x-amz-copy-source': 'diff-b/tagged', 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'c=3' },
  }),
  step('tags: get of the copy with others', 'GET /diff-b/tagged-copy?tagging'),
  step('tags: get of nothing', 'GET /diff-b/none?tagging'),
  config('tags: put of nothing', 'PUT /diff-b/none?tagging', tags(['k', 'v'])),
  step('tags: delete of nothing', 'DELETE /diff-b/none?tagging'),
  step('tags: get in no bucket', 'GET /diff-missing/none?tagging'),
  config('tags: put in no bucket', 'PUT /diff-missing/none?tagging', tags(['', ''])),
  config('tags: put none', 'PUT /diff-b/tagged?tagging', tags()),
  step('tags: get none that were put', 'GET /diff-b/tagged?tagging'),
  step('tags: delete', 'DELETE /diff-b/tagged?tagging'),
  step('tags: get none', 'GET /diff-b/tagged?tagging'),
  ...Object.entries(HEADERS).map(([what, header]) =>
    step(`tags: put an object with ${what}`, 'PUT /diff-b/tagged', { body: 'x', headers: { 'x-amz-tagging': header } }),
  ),
  step('tags: put an object with empty pairs', 'PUT /diff-b/tagged', {
    body: 'x',
    headers: { 'x-amz-tagging': '&a=b+c%20%2B&&d&' },
  }),
  step('tags: get of the object with empty pairs', 'GET /diff-b/tagged?tagging'),
  ...BY_VERSION,
  config('tags: put on bucket', 'PUT /diff-b?tagging', tags(['k', 'v'])),
  step('tags: get of bucket', 'GET /diff-b?tagging'),
  step('tags: delete of bucket', 'DELETE /diff-b?tagging'),
]

const LOGS = 'uri="http://acs.amazonaws.com/groups/s3/LogDelivery"'
const policy = (...grants) =>
  `<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>${grants.join('')}</AccessControlList></AccessControlPolicy>`
const OWNERS = `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>{owner}</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>`

export const OBJECT_ACLS = [
  step('object acl: create bucket', 'PUT /diff-acl', { headers: { 'x-amz-object-ownership': 'ObjectWriter' } }),
  step('object acl: put an object', 'PUT /diff-acl/k', { body: 'x' }),
  step('object acl: who owns it', 'GET /diff-acl/?versions', { save: { owner: /<ID>([^<]*)<\/ID>/ } }),
  step('object acl: get', 'GET /diff-acl/k?acl'),
  step('object acl: put private', 'PUT /diff-acl/k?acl', { headers: { 'x-amz-acl': 'private' } }),
  step('object acl: put no acl of S3', 'PUT /diff-acl/k?acl', { headers: { 'x-amz-acl': 'everybody' } }),
  step('object acl: put a grant', 'PUT /diff-acl/k?acl', { headers: { 'x-amz-grant-read': LOGS } }),
  step('object acl: get the grant', 'GET /diff-acl/k?acl'),
  step('object acl: put nothing', 'PUT /diff-acl/k?acl'),
  step('object acl: put a document', 'PUT /diff-acl/k?acl', { body: policy(OWNERS) }),
  step('object acl: put bad XML', 'PUT /diff-acl/k?acl', { body: '<AccessControlPolicy' }),
  step('object acl: put of nothing', 'PUT /diff-acl/none?acl', { headers: { 'x-amz-acl': 'private' } }),
  step('object acl: get of nothing', 'GET /diff-acl/none?acl'),
  step('object acl: get in no bucket', 'GET /diff-missing/none?acl'),
  step('object acl: put an object with a grant', 'PUT /diff-acl/granted', {
    body: 'x',
    headers: { 'x-amz-grant-read': LOGS },
  }),
  step('object acl: get of the object with a grant', 'GET /diff-acl/granted?acl'),
  step('object acl: put private without ACLs', 'PUT /diff-b/tagged?acl', { headers: { 'x-amz-acl': 'private' } }),
  step('object acl: get without ACLs', 'GET /diff-b/tagged?acl'),
]
