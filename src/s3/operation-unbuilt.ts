/** The operations that have no function of their own: those that are handed on to a store that speaks S3, those to come, and those that never will. */
import type { Access, OperationClass, OperationRow, Resource, Selector } from './operation-row.ts'

type Method = OperationRow['method']

interface Details {
  readonly subresource?: string
  readonly selector?: Selector
  readonly access?: Access
  readonly query?: readonly string[]
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
  query: details.query ?? [],
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
const POLICY =
  'Kept only where it can be evaluated, which is not yet: the backend sees only the credential of the gateway, never the client.'
const WEBSITE = 'To be served here: a website of the backend would show ciphertext.'
const ANNOTATIONS = 'To be sealed like an object: annotations are contents.'
const ABAC = 'Access by tags of AWS principals, which the gateway does not have.'
const TABLES = 'Metadata tables would hold the sizes and ETags of the ciphertext and none of the metadata.'
const DIRECTORY = 'Directory buckets are a storage class of AWS with another protocol.'

const ONE = { selector: { query: 'id' }, query: ['id'] } as const
const NAMED = { query: ['id'] } as const
const PAGES = { query: ['continuation-token'] } as const
const VERSION = { query: ['versionId'] } as const

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
  ListBucketAnalyticsConfigurations: ofBucket('forwarded', 'GET', 'analytics', REPORT, PAGES),
  PutBucketAnalyticsConfiguration: ofBucket('forwarded', 'PUT', 'analytics', REPORT, NAMED),
  DeleteBucketAnalyticsConfiguration: ofBucket('forwarded', 'DELETE', 'analytics', REPORT, NAMED),
  GetBucketIntelligentTieringConfiguration: ofBucket('forwarded', 'GET', 'intelligent-tiering', REPORT, ONE),
  ListBucketIntelligentTieringConfigurations: ofBucket('forwarded', 'GET', 'intelligent-tiering', REPORT, PAGES),
  PutBucketIntelligentTieringConfiguration: ofBucket('forwarded', 'PUT', 'intelligent-tiering', REPORT, NAMED),
  DeleteBucketIntelligentTieringConfiguration: ofBucket('forwarded', 'DELETE', 'intelligent-tiering', REPORT, NAMED),
  GetBucketInventoryConfiguration: ofBucket('forwarded', 'GET', 'inventory', REPORT, ONE),
  ListBucketInventoryConfigurations: ofBucket('forwarded', 'GET', 'inventory', REPORT, PAGES),
  PutBucketInventoryConfiguration: ofBucket('forwarded', 'PUT', 'inventory', REPORT, NAMED),
  DeleteBucketInventoryConfiguration: ofBucket('forwarded', 'DELETE', 'inventory', REPORT, NAMED),
  GetBucketMetricsConfiguration: ofBucket('forwarded', 'GET', 'metrics', REPORT, ONE),
  ListBucketMetricsConfigurations: ofBucket('forwarded', 'GET', 'metrics', REPORT, PAGES),
  PutBucketMetricsConfiguration: ofBucket('forwarded', 'PUT', 'metrics', REPORT, NAMED),
  DeleteBucketMetricsConfiguration: ofBucket('forwarded', 'DELETE', 'metrics', REPORT, NAMED),

  GetBucketAbac: ofBucket('refused', 'GET', 'abac', ABAC),
  PutBucketAbac: ofBucket('refused', 'PUT', 'abac', ABAC),
  GetBucketPolicy: ofBucket('own', 'GET', 'policy', POLICY),
  PutBucketPolicy: ofBucket('own', 'PUT', 'policy', POLICY),
  DeleteBucketPolicy: ofBucket('own', 'DELETE', 'policy', POLICY),
  GetBucketPolicyStatus: ofBucket('own', 'GET', 'policyStatus', POLICY),
  GetBucketWebsite: ofBucket('own', 'GET', 'website', WEBSITE),
  PutBucketWebsite: ofBucket('own', 'PUT', 'website', WEBSITE),
  DeleteBucketWebsite: ofBucket('own', 'DELETE', 'website', WEBSITE),

  GetObjectAnnotation: ofObject('sealed', 'GET', 'annotation', ANNOTATIONS, { selector: { query: 'annotationName' } }),
  ListObjectAnnotations: ofObject('sealed', 'GET', 'annotation', ANNOTATIONS),
  PutObjectAnnotation: ofObject('sealed', 'PUT', 'annotation', ANNOTATIONS),
  DeleteObjectAnnotation: ofObject('sealed', 'DELETE', 'annotation', ANNOTATIONS),
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
    VERSION,
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
