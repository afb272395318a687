/** The operations on configurations of a bucket that work: kept and told by the gateway, or handed on to a store that speaks S3. */
import { ACL_HEADERS } from './acl.ts'
import { BODY_HEADERS } from './operation-built.ts'
import type { OperationRow } from './operation-row.ts'

const COMMON = { class: 'forwarded', built: true, resource: 'bucket', access: 'admin', query: [], headers: [] } as const

const GET = { ...COMMON, method: 'GET', status: 200, body: 'none' } as const
const PUT = {
  ...COMMON,
  method: 'PUT',
  access: 'write',
  status: 200,
  body: 'document',
  headers: BODY_HEADERS,
} as const
const DELETE = { ...COMMON, method: 'DELETE', access: 'write', status: 204, body: 'none' } as const

const FORWARDED = 'Forwarded to a store that speaks S3'
const WAITS = `Checked, kept and told on the embedded store, and nothing acts on it yet: that is logged, and counted by \`GET /readyz\`.`

const ACCELERATE = `${WAITS} ${FORWARDED}; accelerated endpoints go around the gateway.`
const ACL = `Checked, kept and told on the embedded store; nobody is let in because of an ACL. ${FORWARDED}, whose grants show only ciphertext.`
const EVENTS = `${WAITS} ${FORWARDED}; its events carry the sizes and ETags of the ciphertext.`
const LIFECYCLE = 'Removes the rules; of a store that speaks S3 its own.'
const LOCK = `Enforced by the embedded store. ${FORWARDED}, which enforces it.`
const LOGS = `${WAITS} ${FORWARDED}; its logs name the gateway as the requester.`
const OWNERSHIP = `Decides on the embedded store whether there are ACLs. ${FORWARDED}, whose grants show only ciphertext.`
const PAYMENT = `Kept and told on the embedded store: nobody is billed. ${FORWARDED}.`
const PUBLIC = `Decides on the embedded store whether public ACLs are refused. ${FORWARDED}, whose grants show only ciphertext.`
const REPLICATION = `${WAITS} ${FORWARDED}; a replica is readable where its namespace and keys are configured.`
const TAGS = `Checked, kept and told on the embedded store. ${FORWARDED}; tags are plaintext at the backend.`
const ENCRYPTION =
  'What new objects are encrypted with unless they say it themselves. Kept by the gateway, never by a store that speaks S3.'

const VERSIONING = 'Kept and obeyed by the embedded store, without MFA delete. Forwarded to a store that speaks S3.'
const CORS = 'Kept by the gateway and judged by it, before any store: browsers talk to the gateway.'

export const CONFIGURATION_OPERATIONS = {
  GetBucketCors: { ...GET, class: 'own', subresource: 'cors', reason: CORS },
  PutBucketCors: { ...PUT, class: 'own', subresource: 'cors', reason: CORS },
  DeleteBucketCors: { ...DELETE, class: 'own', subresource: 'cors', reason: CORS },
  GetBucketEncryption: { ...GET, class: 'own', subresource: 'encryption', reason: ENCRYPTION },
  PutBucketEncryption: { ...PUT, class: 'own', subresource: 'encryption', reason: ENCRYPTION },
  DeleteBucketEncryption: { ...DELETE, class: 'own', subresource: 'encryption', reason: ENCRYPTION },
  GetBucketVersioning: { ...GET, class: 'forwarded', subresource: 'versioning', reason: VERSIONING },
  PutBucketVersioning: { ...PUT, class: 'forwarded', subresource: 'versioning', reason: VERSIONING },
  GetBucketAccelerateConfiguration: { ...GET, subresource: 'accelerate', reason: ACCELERATE },
  PutBucketAccelerateConfiguration: { ...PUT, subresource: 'accelerate', reason: ACCELERATE },
  GetBucketAcl: { ...GET, subresource: 'acl', reason: ACL },
  PutBucketAcl: { ...PUT, subresource: 'acl', reason: ACL, headers: [...BODY_HEADERS, ...ACL_HEADERS] },
  DeleteBucketLifecycle: { ...DELETE, subresource: 'lifecycle', reason: LIFECYCLE },
  GetBucketLogging: { ...GET, subresource: 'logging', reason: LOGS },
  PutBucketLogging: { ...PUT, subresource: 'logging', reason: LOGS },
  GetBucketNotificationConfiguration: { ...GET, subresource: 'notification', reason: EVENTS },
  PutBucketNotificationConfiguration: {
    ...PUT,
    subresource: 'notification',
    reason: EVENTS,
    headers: [...BODY_HEADERS, 'x-amz-skip-destination-validation'],
  },
  GetBucketOwnershipControls: { ...GET, subresource: 'ownershipControls', reason: OWNERSHIP },
  PutBucketOwnershipControls: { ...PUT, subresource: 'ownershipControls', reason: OWNERSHIP },
  DeleteBucketOwnershipControls: { ...DELETE, subresource: 'ownershipControls', reason: OWNERSHIP },
  GetPublicAccessBlock: { ...GET, subresource: 'publicAccessBlock', reason: PUBLIC },
  PutPublicAccessBlock: { ...PUT, subresource: 'publicAccessBlock', reason: PUBLIC },
  DeletePublicAccessBlock: { ...DELETE, subresource: 'publicAccessBlock', reason: PUBLIC },
  GetBucketReplication: { ...GET, subresource: 'replication', reason: REPLICATION },
  PutBucketReplication: { ...PUT, subresource: 'replication', reason: REPLICATION },
  DeleteBucketReplication: { ...DELETE, subresource: 'replication', reason: REPLICATION },
  GetBucketRequestPayment: { ...GET, subresource: 'requestPayment', reason: PAYMENT },
  PutBucketRequestPayment: { ...PUT, subresource: 'requestPayment', reason: PAYMENT },
  GetBucketTagging: { ...GET, subresource: 'tagging', reason: TAGS },
  PutBucketTagging: { ...PUT, status: 204, subresource: 'tagging', reason: TAGS },
  DeleteBucketTagging: { ...DELETE, subresource: 'tagging', reason: TAGS },
  GetObjectLockConfiguration: { ...GET, subresource: 'object-lock', reason: LOCK },
  PutObjectLockConfiguration: { ...PUT, subresource: 'object-lock', reason: LOCK },
} as const satisfies Record<string, OperationRow>
