/** How S3's server access log calls the operations: REST.method.resource. */

/** Those whose name is not made of the request's own method and one of `RESOURCES`. */
const NAMES: Readonly<Record<string, string>> = {
  AbortMultipartUpload: 'REST.DELETE.UPLOAD',
  CompleteMultipartUpload: 'REST.POST.UPLOAD',
  CopyObject: 'REST.COPY.OBJECT',
  CreateBucket: 'REST.PUT.BUCKET',
  CreateMultipartUpload: 'REST.POST.UPLOADS',
  CreateSession: 'REST.GET.SESSION',
  DeleteBucket: 'REST.DELETE.BUCKET',
  DeleteObject: 'REST.DELETE.OBJECT',
  DeleteObjects: 'REST.POST.MULTI_OBJECT_DELETE',
  GetObject: 'REST.GET.OBJECT',
  HeadBucket: 'REST.HEAD.BUCKET',
  HeadObject: 'REST.HEAD.OBJECT',
  ListBuckets: 'REST.GET.SERVICE',
  ListDirectoryBuckets: 'REST.GET.SERVICE',
  ListMultipartUploads: 'REST.GET.UPLOADS',
  ListObjectVersions: 'REST.GET.BUCKETVERSIONS',
  ListObjects: 'REST.GET.BUCKET',
  ListObjectsV2: 'REST.GET.BUCKET',
  ListParts: 'REST.GET.UPLOAD',
  PostObject: 'REST.POST.OBJECT',
  PreflightRequest: 'REST.OPTIONS.PREFLIGHT',
  PutObject: 'REST.PUT.OBJECT',
  RenameObject: 'REST.RENAME.OBJECT',
  RestoreObject: 'REST.POST.RESTORE',
  SelectObjectContent: 'REST.SELECT.OBJECT',
  UploadPart: 'REST.PUT.PART',
  UploadPartCopy: 'REST.COPY.PART',
  WriteGetObjectResponse: 'REST.POST.OBJECT_RESPONSE',
}

/** By what is left of the name without its verb. */
const RESOURCES: Readonly<Record<string, string>> = {
  BucketAccelerateConfiguration: 'ACCELERATE',
  BucketAcl: 'ACL',
  BucketCors: 'CORS',
  BucketIntelligentTieringConfiguration: 'INTELLIGENT_TIERING',
  BucketIntelligentTieringConfigurations: 'INTELLIGENT_TIERING',
  BucketLifecycleConfiguration: 'LIFECYCLE',
  BucketLogging: 'LOGGING_STATUS',
  BucketNotificationConfiguration: 'NOTIFICATION',
  BucketPolicy: 'BUCKETPOLICY',
  BucketPolicyStatus: 'POLICY_STATUS',
  BucketVersioning: 'VERSIONING',
  ObjectAcl: 'ACL',
  ObjectLockConfiguration: 'OBJECT_LOCK',
  ObjectRetention: 'RETENTION',
  ObjectLegalHold: 'LEGAL_HOLD',
}

const VERB = /^(?:Get|Put|Delete|List|Create|Update)/

/** Of any operation; `-` for what is none. */
export function s3OperationOf(operation: string, method: string): string {
  const known = cache.get(operation)
  if (known !== undefined) return known
  if (operation === 'unknown') return '-'
  const name = NAMES[operation] ?? `REST.${method}.${resourceOf(operation)}`
  cache.set(operation, name)
  return name
}

/** As many as there are operations. */
const cache = new Map<string, string>()

function resourceOf(operation: string): string {
  const noun = operation.replace(VERB, '')
  const words = noun.replace(/^Bucket/, '').replace(/Configurations?$/, '')
  return RESOURCES[noun] ?? words.replaceAll(/(?<=[a-z])[A-Z]/g, (capital) => `_${capital}`).toUpperCase()
}
