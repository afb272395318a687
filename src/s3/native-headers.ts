/**
 * Headers about what S3 keeps beside an object. A store that speaks S3 itself gets and gives them unchanged; one that only keeps
 * versions is given those that the gateway understands. Who is expected to own a bucket is judged by the gateway alone (`screen.ts`): to the store
 * it is the gateway that owns it.
 */
import { ACL_HEADERS } from './acl.ts'
import type { Headers } from './headers.ts'
import type { OperationName } from './operation-name.ts'

const PAYER = ['x-amz-request-payer']

const KEPT_WITH_OBJECT = [
  'x-amz-storage-class',
  'x-amz-tagging',
  'x-amz-object-lock-legal-hold',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
]

const NEW_OBJECT = [...PAYER, ...ACL_HEADERS, ...KEPT_WITH_OBJECT]

export const BYPASS = 'x-amz-bypass-governance-retention'
const DELETION = [...PAYER, BYPASS, 'x-amz-mfa']

/** By operation: what the gateway judges and a store keeps or heeds that has versions and does not speak S3. */
const KEPT_HEADERS: Readonly<Partial<Record<OperationName, readonly string[]>>> = {
  CopyObject: [...KEPT_WITH_OBJECT, 'x-amz-tagging-directive'],
  CreateBucket: ['x-amz-bucket-object-lock-enabled'],
  CreateMultipartUpload: KEPT_WITH_OBJECT,
  DeleteObject: [BYPASS],
  DeleteObjects: [BYPASS],
  PutObject: KEPT_WITH_OBJECT,
  PutObjectRetention: [BYPASS],
}

/** Operations of such a store that read ACL headers; what they say is kept in a spelling of its own. */
const READ_ACLS: ReadonlySet<OperationName> = new Set<OperationName>([
  'CopyObject',
  'CreateMultipartUpload',
  'PutObject',
  'PutObjectAcl',
])

/** By operation: what a native store may be asked beside what the gateway itself understands. */
const NATIVE_HEADERS: Readonly<Partial<Record<OperationName, readonly string[]>>> = {
  CopyObject: [...NEW_OBJECT, 'x-amz-tagging-directive'],
  CreateBucket: [...ACL_HEADERS, 'x-amz-bucket-object-lock-enabled', 'x-amz-object-ownership'],
  CreateMultipartUpload: NEW_OBJECT,
  DeleteObject: DELETION,
  DeleteObjects: DELETION,
  GetBucketLifecycleConfiguration: PAYER,
  GetObject: PAYER,
  GetObjectAttributes: PAYER,
  HeadObject: PAYER,
  PutBucketLifecycleConfiguration: PAYER,
  PutObject: NEW_OBJECT,
}

export const isNativeHeader = (operation: OperationName, header: string): boolean =>
  NATIVE_HEADERS[operation]?.includes(header) === true

export const isKeptHeader = (operation: OperationName, header: string): boolean =>
  KEPT_HEADERS[operation]?.includes(header) === true || (READ_ACLS.has(operation) && ACL_HEADERS.includes(header))

/** What of a request is for a store that speaks S3. */
export const nativeHeaders = (operation: OperationName, headers: Headers): Record<string, string> =>
  named(NATIVE_HEADERS[operation], headers)

/** What of a request is for a store that has versions and does not speak S3. */
export const keptHeaders = (operation: OperationName, headers: Headers): Record<string, string> =>
  named(KEPT_HEADERS[operation], headers)

const named = (names: readonly string[] | undefined, headers: Headers): Record<string, string> => {
  const found: Record<string, string> = {}
  for (const name of names ?? []) {
    const value = headers.get(name)
    if (value !== undefined) found[name] = value
  }
  return found
}
