/** Headers about what S3 keeps beside an object: a store that speaks S3 itself gets and gives them unchanged. */
import type { Headers } from './headers.ts'
import type { OperationName } from './operation-name.ts'

const OWNER = ['x-amz-expected-bucket-owner', 'x-amz-request-payer']

const ACCESS = [
  'x-amz-acl',
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-read-acp',
  'x-amz-grant-write',
  'x-amz-grant-write-acp',
]

const NEW_OBJECT = [
  ...OWNER,
  ...ACCESS,
  'x-amz-storage-class',
  'x-amz-tagging',
  'x-amz-object-lock-legal-hold',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
]

const DELETION = [...OWNER, 'x-amz-bypass-governance-retention', 'x-amz-mfa']

/** By operation: what a native store may be asked beside what the gateway itself understands. */
const NATIVE_HEADERS: Readonly<Partial<Record<OperationName, readonly string[]>>> = {
  CopyObject: [...NEW_OBJECT, 'x-amz-source-expected-bucket-owner', 'x-amz-tagging-directive'],
  CreateBucket: [...ACCESS, 'x-amz-bucket-object-lock-enabled', 'x-amz-object-ownership'],
  CreateMultipartUpload: NEW_OBJECT,
  DeleteObject: DELETION,
  DeleteObjects: DELETION,
  GetBucketLifecycleConfiguration: OWNER,
  GetObject: OWNER,
  GetObjectAttributes: OWNER,
  HeadObject: OWNER,
  PutBucketLifecycleConfiguration: OWNER,
  PutObject: NEW_OBJECT,
}

export const isNativeHeader = (operation: OperationName, header: string): boolean =>
  NATIVE_HEADERS[operation]?.includes(header) === true

/** What of a request is for the store. */
export const nativeHeaders = (operation: OperationName, headers: Headers): Record<string, string> => {
  const found: Record<string, string> = {}
  for (const name of NATIVE_HEADERS[operation] ?? []) {
    const value = headers.get(name)
    if (value !== undefined) found[name] = value
  }
  return found
}
