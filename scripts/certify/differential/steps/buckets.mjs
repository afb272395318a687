/** Buckets, their names, and configurations that are not there. */
import { each, step, XMLNS } from './step.mjs'

const BAD_NAMES = [
  'ab',
  'Upper',
  'under_score',
  'two..dots',
  '-hyphen',
  'hyphen-',
  '192.168.1.1',
  'xn--prefix',
  'suffix-s3alias',
  'a'.repeat(64),
]

const CONFIGURATIONS = [
  'accelerate',
  'acl',
  'cors',
  'encryption',
  'lifecycle',
  'location',
  'logging',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'tagging',
  'versioning',
  'website',
]

const location = (region) =>
  `<CreateBucketConfiguration ${XMLNS}><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`

export const BUCKETS = [
  step('buckets: list none', 'GET /'),
  step('buckets: create', 'PUT /diff-a'),
  step('buckets: create again', 'PUT /diff-a'),
  step('buckets: create another', 'PUT /diff-b', { body: `<CreateBucketConfiguration ${XMLNS}/>` }),
  step('buckets: create elsewhere', 'PUT /diff-elsewhere', { body: location('eu-west-1') }),
  step('buckets: create in us-east-1 by name', 'PUT /diff-named', { body: location('us-east-1') }),
  step('buckets: delete that', 'DELETE /diff-named'),
  step('buckets: create with bad XML', 'PUT /diff-c', { body: '<CreateBucket' }),
  step('buckets: create with another document', 'PUT /diff-c', { body: '<Other/>' }),
  step('buckets: delete what bad XML may have made', 'DELETE /diff-c'),
  ...each(BAD_NAMES, (name) => step(`buckets: create ${name.slice(0, 20)}`, `PUT /${name}`)),
  ...each(['diff-elsewhere', 'xn--prefix', 'suffix-s3alias'], (name) =>
    step(`buckets: delete ${name} where it was made`, `DELETE /${name}`),
  ),
  step('buckets: head', 'HEAD /diff-a'),
  step('buckets: head with slash', 'HEAD /diff-a/'),
  step('buckets: head missing', 'HEAD /diff-missing'),
  step('buckets: location', 'GET /diff-a?location'),
  step('buckets: list', 'GET /'),
  step('buckets: list a page', 'GET /?max-buckets=1', { save: { bucketToken: /<ContinuationToken>(.*?)</ } }),
  step('buckets: list by prefix', 'GET /?prefix=diff-b'),
  step('buckets: list with max 0', 'GET /?max-buckets=0'),
  step('buckets: delete missing', 'DELETE /diff-missing'),
  step('buckets: post without form', 'POST /diff-a'),
  step('buckets: patch', 'PATCH /diff-a'),
  step('buckets: unknown parameter', 'GET /diff-a?unknown=1'),
  step('buckets: unknown sub-resource', 'GET /diff-a?unknown'),
  ...each(CONFIGURATIONS, (name) => step(`configurations: get ${name}`, `GET /diff-a?${name}`)),
  ...each(CONFIGURATIONS, (name) => step(`configurations: get ${name} of no bucket`, `GET /diff-missing?${name}`)),
  ...['cors', 'encryption', 'lifecycle', 'policy', 'tagging', 'website', 'replication', 'publicAccessBlock'].flatMap(
    (name) => [
      step(`configurations: a bucket without ${name}`, `PUT /diff-no-${name.toLowerCase()}`),
      step(`configurations: delete ${name}`, `DELETE /diff-no-${name.toLowerCase()}?${name}`),
      step(`configurations: the bucket is there after delete ${name}`, `HEAD /diff-no-${name.toLowerCase()}`),
    ],
  ),
  ...each(['analytics', 'inventory', 'metrics', 'intelligent-tiering'], (name) =>
    step(`configurations: list ${name}`, `GET /diff-a?${name}`),
  ),
]
