/** Versions, and what else a bucket may be told. */
import { config, each, md5, step, versioning } from './step.mjs'

const lifecycle = (inner) => `<LifecycleConfiguration>${inner}</LifecycleConfiguration>`

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
