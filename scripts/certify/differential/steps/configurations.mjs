/** Versions, tags, locks, ACLs and what else a bucket may be told. */
import { each, md5, step } from './step.mjs'

const config = (name, request, body) => step(name, request, { body, headers: { 'content-md5': md5(body) } })
const tags = (...pairs) =>
  `<Tagging><TagSet>${pairs.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('')}</TagSet></Tagging>`
const versioning = (status) => `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`
const lifecycle = (inner) => `<LifecycleConfiguration>${inner}</LifecycleConfiguration>`
const SOON = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'Z')

export const VERSIONS = [
  step('versions: create bucket', 'PUT /diff-v'),
  step('versions: status at first', 'GET /diff-v?versioning'),
  step('versions: put before', 'PUT /diff-v/k', { body: 'null version' }),
  config('versions: enable', 'PUT /diff-v?versioning', versioning('Enabled')),
  config('versions: nonsense', 'PUT /diff-v?versioning', versioning('Maybe')),
  config('versions: bad XML', 'PUT /diff-v?versioning', '<Versioning'),
  step('versions: status', 'GET /diff-v?versioning'),
  step('versions: put one', 'PUT /diff-v/k', { body: 'one', save: { v1: 'x-amz-version-id' } }),
  step('versions: put two', 'PUT /diff-v/k', { body: 'two', save: { v2: 'x-amz-version-id' } }),
  step('versions: get', 'GET /diff-v/k'),
  step('versions: get one', 'GET /diff-v/k?versionId={v1}'),
  step('versions: get null', 'GET /diff-v/k?versionId=null'),
  step('versions: head one', 'HEAD /diff-v/k?versionId={v1}'),
  step('versions: get unknown', 'GET /diff-v/k?versionId=11111111-1111-4111-8111-111111111111'),
  step('versions: copy one', 'PUT /diff-v/copy', { headers: { 'x-amz-copy-source': 'diff-v/k?versionId={v1}' } }),
  step('versions: list', 'GET /diff-v?versions'),
  step('versions: list a page', 'GET /diff-v?versions&max-keys=2'),
  step('versions: list from a marker', 'GET /diff-v?versions&key-marker=k&version-id-marker={v2}'),
  step('versions: list by prefix', 'GET /diff-v?versions&prefix=k&delimiter=/'),
  step('versions: marker without key', 'GET /diff-v?versions&version-id-marker={v2}'),
  step('versions: delete', 'DELETE /diff-v/k', { save: { marker: 'x-amz-version-id' } }),
  step('versions: get deleted', 'GET /diff-v/k'),
  step('versions: head deleted', 'HEAD /diff-v/k'),
  step('versions: get the marker', 'GET /diff-v/k?versionId={marker}'),
  step('versions: list with marker', 'GET /diff-v?versions'),
  step('versions: delete the marker', 'DELETE /diff-v/k?versionId={marker}'),
  step('versions: get again', 'GET /diff-v/k'),
  step('versions: delete one for good', 'DELETE /diff-v/k?versionId={v1}'),
  config('versions: suspend', 'PUT /diff-v?versioning', versioning('Suspended')),
  step('versions: put suspended', 'PUT /diff-v/k', { body: 'null again' }),
  step('versions: delete suspended', 'DELETE /diff-v/k'),
  step('versions: list at the end', 'GET /diff-v?versions'),
  step('versions: bucket with versions only', 'DELETE /diff-v'),
]

export const TAGS = [
  step('tags: put an object', 'PUT /diff-b/tagged', { body: 'x', headers: { 'x-amz-tagging': 'a=1&b=2' } }),
  step('tags: get', 'GET /diff-b/tagged?tagging'),
  step('tags: head counts', 'HEAD /diff-b/tagged'),
  config('tags: put', 'PUT /diff-b/tagged?tagging', tags(['k', 'v'])),
  step('tags: get what was put', 'GET /diff-b/tagged?tagging'),
  config(
    'tags: put eleven',
    'PUT /diff-b/tagged?tagging',
    tags(...Array.from({ length: 11 }, (_, i) => [`k${i}`, 'v'])),
  ),
  config('tags: put twice the same', 'PUT /diff-b/tagged?tagging', tags(['k', 'v'], ['k', 'w'])),
  config('tags: put a long key', 'PUT /diff-b/tagged?tagging', tags(['k'.repeat(129), 'v'])),
  config('tags: put a long value', 'PUT /diff-b/tagged?tagging', tags(['k', 'v'.repeat(257)])),
  config('tags: put bad XML', 'PUT /diff-b/tagged?tagging', '<Tagging'),
  step('tags: get of nothing', 'GET /diff-b/none?tagging'),
  step('tags: delete', 'DELETE /diff-b/tagged?tagging'),
  step('tags: get none', 'GET /diff-b/tagged?tagging'),
  step('tags: put an object with bad tags', 'PUT /diff-b/tagged-bad', {
    body: 'x',
    headers: { 'x-amz-tagging': 'a=1&a=2' },
  }),
  config('tags: put on bucket', 'PUT /diff-b?tagging', tags(['k', 'v'])),
  step('tags: get of bucket', 'GET /diff-b?tagging'),
  step('tags: delete of bucket', 'DELETE /diff-b?tagging'),
]

export const LOCKS = [
  step('locks: create bucket', 'PUT /diff-lock', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } }),
  step('locks: configuration', 'GET /diff-lock?object-lock'),
  config(
    'locks: default retention',
    'PUT /diff-lock?object-lock',
    '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>',
  ),
  config(
    'locks: days and years',
    'PUT /diff-lock?object-lock',
    '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years></DefaultRetention></Rule></ObjectLockConfiguration>',
  ),
  config(
    'locks: on a bucket without',
    'PUT /diff-b?object-lock',
    '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>',
  ),
  config('locks: suspend versioning', 'PUT /diff-lock?versioning', versioning('Suspended')),
  step('locks: put', 'PUT /diff-lock/k', {
    body: 'hello',
    headers: { 'content-md5': md5('hello') },
    save: { locked: 'x-amz-version-id' },
  }),
  step('locks: head', 'HEAD /diff-lock/k'),
  step('locks: retention', 'GET /diff-lock/k?retention'),
  config(
    'locks: extend',
    'PUT /diff-lock/k?retention',
    `<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>${SOON}</RetainUntilDate></Retention>`,
  ),
  step('locks: legal hold at first', 'GET /diff-lock/k?legal-hold'),
  config('locks: legal hold', 'PUT /diff-lock/k?legal-hold', '<LegalHold><Status>ON</Status></LegalHold>'),
  step('locks: legal hold then', 'GET /diff-lock/k?legal-hold'),
  step('locks: delete the version', 'DELETE /diff-lock/k?versionId={locked}'),
  step('locks: delete', 'DELETE /diff-lock/k'),
  step('locks: retention without lock', 'GET /diff-a/plain?retention'),
  step('locks: hold without lock', 'GET /diff-a/plain?legal-hold'),
  step('locks: put with headers without lock', 'PUT /diff-a/locked', {
    body: 'x',
    headers: { 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': SOON },
  }),
]

const CORS =
  '<CORSConfiguration><CORSRule><AllowedOrigin>https://app.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule></CORSConfiguration>'
const ACL =
  '<AccessControlPolicy><Owner><ID>x</ID></Owner><AccessControlList></AccessControlList></AccessControlPolicy>'
const POLICY =
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::diff-b/*"}]}'
const origin = { origin: 'https://app.example' }

export const CONFIGURATIONS = [
  config('cors: put', 'PUT /diff-b?cors', CORS),
  step('cors: get', 'GET /diff-b?cors'),
  step('cors: preflight', 'OPTIONS /diff-b/copy', {
    sign: 'none',
    headers: { ...origin, 'access-control-request-method': 'GET' },
  }),
  step('cors: preflight of another origin', 'OPTIONS /diff-b/copy', {
    sign: 'none',
    headers: { origin: 'https://other.example', 'access-control-request-method': 'GET' },
  }),
  step('cors: preflight without origin', 'OPTIONS /diff-b/copy', { sign: 'none' }),
  step('cors: put an object', 'PUT /diff-b/cors', { body: 'x' }),
  step('cors: get an object', 'GET /diff-b/cors', { headers: origin }),
  step('acl: bucket', 'GET /diff-b?acl'),
  step('acl: object', 'GET /diff-b/copy?acl'),
  step('acl: put canned', 'PUT /diff-b?acl', { headers: { 'x-amz-acl': 'private' } }),
  step('acl: put canned public', 'PUT /diff-b?acl', { headers: { 'x-amz-acl': 'public-read' } }),
  config('acl: put a document', 'PUT /diff-b?acl', ACL),
  config('policy: put', 'PUT /diff-b?policy', POLICY),
  config('policy: put nonsense', 'PUT /diff-b?policy', '{'),
  step('policy: get', 'GET /diff-b?policy'),
  step('policy: delete', 'DELETE /diff-b?policy'),
  config(
    'lifecycle: put',
    'PUT /diff-b?lifecycle',
    lifecycle(
      '<Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix>p</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule>',
    ),
  ),
  config(
    'lifecycle: put sizes',
    'PUT /diff-b?lifecycle',
    lifecycle(
      '<Rule><ID>s</ID><Status>Enabled</Status><Filter><ObjectSizeGreaterThan>1000</ObjectSizeGreaterThan></Filter><Expiration><Days>3</Days></Expiration></Rule>',
    ),
  ),
  step('lifecycle: get', 'GET /diff-b?lifecycle'),
  config(
    'lifecycle: put 0 days',
    'PUT /diff-b?lifecycle',
    lifecycle('<Rule><ID>r</ID><Status>Enabled</Status><Filter/><Expiration><Days>0</Days></Expiration></Rule>'),
  ),
  config('lifecycle: put nothing', 'PUT /diff-b?lifecycle', lifecycle('')),
  step('lifecycle: delete', 'DELETE /diff-b?lifecycle'),
  config(
    'encryption: put',
    'PUT /diff-b?encryption',
    '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>',
  ),
  step('encryption: get', 'GET /diff-b?encryption'),
  step('encryption: put an object with AES256', 'PUT /diff-b/sse', {
    body: 'x',
    headers: { 'x-amz-server-side-encryption': 'AES256' },
  }),
  step('encryption: put an object with aws:kms', 'PUT /diff-b/sse-kms', {
    body: 'x',
    headers: { 'x-amz-server-side-encryption': 'aws:kms' },
  }),
  step('encryption: put an object with nonsense', 'PUT /diff-b/sse-bad', {
    body: 'x',
    headers: { 'x-amz-server-side-encryption': 'ROT13' },
  }),
  step('encryption: put an object with a customer key', 'PUT /diff-b/sse-c', {
    body: 'x',
    headers: {
      'x-amz-server-side-encryption-customer-algorithm': 'AES256',
      'x-amz-server-side-encryption-customer-key': Buffer.alloc(32, 'k').toString('base64'),
      'x-amz-server-side-encryption-customer-key-md5': md5(Buffer.alloc(32, 'k')),
    },
  }),
  ...each(
    [
      'accelerate',
      'logging',
      'notification',
      'ownershipControls',
      'publicAccessBlock',
      'replication',
      'requestPayment',
      'website',
      'versioning',
      'tagging',
      'cors',
      'lifecycle',
    ],
    (name) => config(`configurations: put nonsense as ${name}`, `PUT /diff-b?${name}`, '<Nonsense/>'),
  ),
  config('notification: put none', 'PUT /diff-b?notification', '<NotificationConfiguration/>'),
  config(
    'requestPayment: put',
    'PUT /diff-b?requestPayment',
    '<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>',
  ),
]
