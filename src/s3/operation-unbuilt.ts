/** The operations that have no function of their own: those that are handed on to a store that speaks S3, those to come, and those that never will. */
import type { Access, OperationClass, OperationRow, Resource, Selector } from './operation-row.ts'

type Method = OperationRow['method']

interface Details {
  readonly subresource?: string
  readonly selector?: Selector
  readonly access?: Access
}

const unbuilt = (
  resource: Resource,
  kind: OperationClass,
  method: Method,
  reason: string,
  details: Details,
): OperationRow => ({
  class: kind,
  built: false,
  method,
  resource,
  access: details.access ?? defaultAccess(resource, method),
  status: method === 'DELETE' ? 204 : 200,
  ...(details.subresource === undefined ? {} : { subresource: details.subresource }),
  ...(details.selector === undefined ? {} : { selector: details.selector }),
  body: 'none',
  query: [],
  headers: [],
  reason,
})

const defaultAccess = (resource: Resource, method: Method): Access => {
  if (resource !== 'object') return 'admin'
  return method === 'GET' ? 'read' : 'write'
}

/** A sub-resource of a bucket. */
const ofBucket = (
  kind: OperationClass,
  method: Method,
  subresource: string,
  reason: string,
  more: Details = {},
): OperationRow => unbuilt('bucket', kind, method, reason, { subresource, ...more })

/** A sub-resource of an object. */
const ofObject = (
  kind: OperationClass,
  method: Method,
  subresource: string,
  reason: string,
  more: Details = {},
): OperationRow => unbuilt('object', kind, method, reason, { subresource, ...more })

/** Reports and tiers know nothing of contents; what they show is the ciphertext. */
const REPORT =
  'Forwarded to a store that speaks S3; the backend knows sizes, ETags and checksums of the ciphertext only.'
const ACCESS = 'To be decided here: the backend sees only the credential of the gateway, never the client.'
const WEBSITE = 'To be served here: a website of the backend would show ciphertext.'
const REPLICATION =
  'Forwarded to a store that speaks S3; a replica is readable where its namespace and keys are configured.'
const EVENTS = 'Forwarded to a store that speaks S3; events of the backend carry the sizes and ETags of the ciphertext.'
const LOGS = 'Forwarded to a store that speaks S3; logs of the backend name the gateway as the requester.'
const TAGS = 'Forwarded to a store that speaks S3; tags are plaintext at the backend.'
const PLAIN = 'Forwarded to a store that speaks S3; it knows nothing of contents.'
const ACCELERATE = 'Forwarded to a store that speaks S3; accelerated endpoints go around the gateway.'
const LOCK = 'Forwarded to a store that speaks S3, which enforces it.'
const ANNOTATIONS = 'To be sealed like an object: annotations are contents.'
const ABAC = 'Access by tags of AWS principals, which the gateway does not have.'
const TABLES = 'Metadata tables would hold the sizes and ETags of the ciphertext and none of the metadata.'
const DIRECTORY = 'Directory buckets are a storage class of AWS with another protocol.'

const ONE = { selector: { query: 'id' } } as const

export const UNBUILT_OPERATIONS = {
  CreateBucketMetadataConfiguration: ofBucket('refused', 'POST', 'metadataConfiguration', TABLES),
  GetBucketMetadataConfiguration: ofBucket('refused', 'GET', 'metadataConfiguration', TABLES),
  DeleteBucketMetadataConfiguration: ofBucket('refused', 'DELETE', 'metadataConfiguration', TABLES),
  CreateBucketMetadataTableConfiguration: ofBucket('refused', 'POST', 'metadataTable', TABLES),
  GetBucketMetadataTableConfiguration: ofBucket('refused', 'GET', 'metadataTable', TABLES),
  DeleteBucketMetadataTableConfiguration: ofBucket('refused', 'DELETE', 'metadataTable', TABLES),
  UpdateBucketMetadataAnnotationTableConfiguration: ofBucket('refused', 'PUT', 'metadataAnnotationTable', TABLES),
  UpdateBucketMetadataInventoryTableConfiguration: ofBucket('refused', 'PUT', 'metadataInventoryTable', TABLES),
  UpdateBucketMetadataJournalTableConfiguration: ofBucket('refused', 'PUT', 'metadataJournalTable', TABLES),

  GetBucketAnalyticsConfiguration: ofBucket('forwarded', 'GET', 'analytics', REPORT, ONE),
  ListBucketAnalyticsConfigurations: ofBucket('forwarded', 'GET', 'analytics', REPORT),
  PutBucketAnalyticsConfiguration: ofBucket('forwarded', 'PUT', 'analytics', REPORT),
  DeleteBucketAnalyticsConfiguration: ofBucket('forwarded', 'DELETE', 'analytics', REPORT),
  GetBucketIntelligentTieringConfiguration: ofBucket('forwarded', 'GET', 'intelligent-tiering', REPORT, ONE),
  ListBucketIntelligentTieringConfigurations: ofBucket('forwarded', 'GET', 'intelligent-tiering', REPORT),
  PutBucketIntelligentTieringConfiguration: ofBucket('forwarded', 'PUT', 'intelligent-tiering', REPORT),
  DeleteBucketIntelligentTieringConfiguration: ofBucket('forwarded', 'DELETE', 'intelligent-tiering', REPORT),
  GetBucketInventoryConfiguration: ofBucket('forwarded', 'GET', 'inventory', REPORT, ONE),
  ListBucketInventoryConfigurations: ofBucket('forwarded', 'GET', 'inventory', REPORT),
  PutBucketInventoryConfiguration: ofBucket('forwarded', 'PUT', 'inventory', REPORT),
  DeleteBucketInventoryConfiguration: ofBucket('forwarded', 'DELETE', 'inventory', REPORT),
  GetBucketMetricsConfiguration: ofBucket('forwarded', 'GET', 'metrics', REPORT, ONE),
  ListBucketMetricsConfigurations: ofBucket('forwarded', 'GET', 'metrics', REPORT),
  PutBucketMetricsConfiguration: ofBucket('forwarded', 'PUT', 'metrics', REPORT),
  DeleteBucketMetricsConfiguration: ofBucket('forwarded', 'DELETE', 'metrics', REPORT),

  GetBucketAbac: ofBucket('refused', 'GET', 'abac', ABAC),
  PutBucketAbac: ofBucket('refused', 'PUT', 'abac', ABAC),
  GetBucketAccelerateConfiguration: ofBucket('forwarded', 'GET', 'accelerate', ACCELERATE),
  PutBucketAccelerateConfiguration: ofBucket('forwarded', 'PUT', 'accelerate', ACCELERATE),
  GetBucketAcl: ofBucket('own', 'GET', 'acl', ACCESS),
  PutBucketAcl: ofBucket('own', 'PUT', 'acl', ACCESS),
  DeleteBucketLifecycle: ofBucket('forwarded', 'DELETE', 'lifecycle', PLAIN),
  GetBucketLogging: ofBucket('forwarded', 'GET', 'logging', LOGS),
  PutBucketLogging: ofBucket('forwarded', 'PUT', 'logging', LOGS),
  GetBucketNotificationConfiguration: ofBucket('forwarded', 'GET', 'notification', EVENTS),
  PutBucketNotificationConfiguration: ofBucket('forwarded', 'PUT', 'notification', EVENTS),
  GetBucketOwnershipControls: ofBucket('own', 'GET', 'ownershipControls', ACCESS),
  PutBucketOwnershipControls: ofBucket('own', 'PUT', 'ownershipControls', ACCESS),
  DeleteBucketOwnershipControls: ofBucket('own', 'DELETE', 'ownershipControls', ACCESS),
  GetBucketPolicy: ofBucket('own', 'GET', 'policy', ACCESS),
  PutBucketPolicy: ofBucket('own', 'PUT', 'policy', ACCESS),
  DeleteBucketPolicy: ofBucket('own', 'DELETE', 'policy', ACCESS),
  GetBucketPolicyStatus: ofBucket('own', 'GET', 'policyStatus', ACCESS),
  GetPublicAccessBlock: ofBucket('own', 'GET', 'publicAccessBlock', ACCESS),
  PutPublicAccessBlock: ofBucket('own', 'PUT', 'publicAccessBlock', ACCESS),
  DeletePublicAccessBlock: ofBucket('own', 'DELETE', 'publicAccessBlock', ACCESS),
  GetBucketReplication: ofBucket('forwarded', 'GET', 'replication', REPLICATION),
  PutBucketReplication: ofBucket('forwarded', 'PUT', 'replication', REPLICATION),
  DeleteBucketReplication: ofBucket('forwarded', 'DELETE', 'replication', REPLICATION),
  GetBucketTagging: ofBucket('forwarded', 'GET', 'tagging', TAGS),
  PutBucketTagging: ofBucket('forwarded', 'PUT', 'tagging', TAGS),
  DeleteBucketTagging: ofBucket('forwarded', 'DELETE', 'tagging', TAGS),
  GetBucketWebsite: ofBucket('own', 'GET', 'website', WEBSITE),
  PutBucketWebsite: ofBucket('own', 'PUT', 'website', WEBSITE),
  DeleteBucketWebsite: ofBucket('own', 'DELETE', 'website', WEBSITE),
  GetObjectLockConfiguration: ofBucket('forwarded', 'GET', 'object-lock', LOCK),
  PutObjectLockConfiguration: ofBucket('forwarded', 'PUT', 'object-lock', LOCK),

  GetObjectAcl: ofObject('own', 'GET', 'acl', ACCESS),
  PutObjectAcl: ofObject('own', 'PUT', 'acl', ACCESS),
  GetObjectAnnotation: ofObject('sealed', 'GET', 'annotation', ANNOTATIONS, { selector: { query: 'annotationName' } }),
  ListObjectAnnotations: ofObject('sealed', 'GET', 'annotation', ANNOTATIONS),
  PutObjectAnnotation: ofObject('sealed', 'PUT', 'annotation', ANNOTATIONS),
  DeleteObjectAnnotation: ofObject('sealed', 'DELETE', 'annotation', ANNOTATIONS),
  GetObjectLegalHold: ofObject('forwarded', 'GET', 'legal-hold', LOCK),
  PutObjectLegalHold: ofObject('forwarded', 'PUT', 'legal-hold', LOCK),
  GetObjectRetention: ofObject('forwarded', 'GET', 'retention', LOCK),
  PutObjectRetention: ofObject('forwarded', 'PUT', 'retention', LOCK),
  GetObjectTagging: ofObject('forwarded', 'GET', 'tagging', TAGS),
  PutObjectTagging: ofObject('forwarded', 'PUT', 'tagging', TAGS),
  DeleteObjectTagging: ofObject('forwarded', 'DELETE', 'tagging', TAGS),
  GetObjectTorrent: ofObject('refused', 'GET', 'torrent', 'AWS has discontinued BitTorrent.'),
  RenameObject: ofObject(
    'refused',
    'PUT',
    'renameObject',
    'AWS has it for directory buckets only, as it has appending.',
  ),
  RestoreObject: ofObject(
    'forwarded',
    'POST',
    'restore',
    'Forwarded to a store that speaks S3; archives know nothing of contents.',
  ),
  SelectObjectContent: ofObject('sealed', 'POST', 'select', 'To run here, on the plaintext.', { access: 'read' }),
  UpdateObjectEncryption: ofObject('own', 'PUT', 'encryption', 'To wrap the data key anew, without moving data.'),

  CreateSession: ofBucket('refused', 'GET', 'session', DIRECTORY),
  // The same request as ListBuckets, sent to another host of AWS: never detected here.
  ListDirectoryBuckets: unbuilt('service', 'refused', 'GET', DIRECTORY, { access: 'list' }),
  WriteGetObjectResponse: unbuilt(
    'service',
    'refused',
    'POST',
    'The way back of S3 Object Lambda, on another host of AWS.',
    {},
  ),
} as const satisfies Record<string, OperationRow>
