/** Which operation a request is: from method, address, query and headers, by tables made from the operation table. */
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { OPERATIONS } from './operation.ts'
import { OPERATION_NAMES, type OperationName } from './operation-name.ts'
import type { OperationRow, Resource } from './operation-row.ts'
import type { Query } from './query.ts'

interface Candidate {
  readonly name: OperationName
  readonly row: OperationRow
}

/** What is addressed. */
export interface AddressedResource {
  readonly bucket?: string | undefined
  readonly key?: string | undefined
}

/** Told apart by their host or body from the operation beside them; see `detectOperation`. */
const NOT_BY_TABLE = new Set<OperationName>(['ListDirectoryBuckets', 'WriteGetObjectResponse', 'PreflightRequest'])

const place = (resource: Resource, subresource: string | undefined): string => `${resource}?${subresource ?? ''}`

/** resource and sub-resource → method → the operations there; those with a selector first, so that they are asked first. */
const TABLE = new Map<string, Map<string, Candidate[]>>()

/** Sub-resources, and where they exist. */
const SUBRESOURCES = new Map<string, Set<Resource>>()

for (const name of OPERATION_NAMES) {
  const row: OperationRow = OPERATIONS[name]
  if (NOT_BY_TABLE.has(name)) continue
  const at = place(row.resource, row.subresource)
  const methods = TABLE.get(at) ?? new Map<string, Candidate[]>()
  TABLE.set(at, methods)
  const candidates = [...(methods.get(row.method) ?? []), { name, row }]
  methods.set(
    row.method,
    candidates.sort((a, b) => Number(b.row.selector !== undefined) - Number(a.row.selector !== undefined)),
  )
  if (row.subresource !== undefined) {
    SUBRESOURCES.set(row.subresource, (SUBRESOURCES.get(row.subresource) ?? new Set()).add(row.resource))
  }
}

/** Parameters that mean something somewhere, so that they may be empty without looking like a sub-resource. */
const PARAMETERS = new Set([
  'AWSAccessKeyId',
  'Expires',
  'Signature',
  'annotationName',
  'id',
  'select-type',
  'version-id-marker',
  'x-id',
  ...OPERATION_NAMES.flatMap((name) => OPERATIONS[name].query),
])

const isParameter = (name: string): boolean => PARAMETERS.has(name) || name.toLowerCase().startsWith('x-amz-')

/**
 * Names the operation of a request; rows that are not built too, which is for `refuseUnbuilt` to say after the client is known.
 *
 * Unknown query parameters are ignored, and so is `x-id` (B22). One without a value, though, has the look of a
 * sub-resource of a newer S3, and the operation beside it must not run in its stead: `NotImplemented`.
 * Throws `MethodNotAllowed` for a method that the resource does not have, `InvalidRequest` for a sub-resource of another
 * kind of resource (B80), `InvalidArgument` for two sub-resources or half of what names a part.
 */
export const detectOperation = (
  method: string,
  target: AddressedResource,
  query: Query,
  headers: Headers,
): OperationName => {
  if (method === 'OPTIONS') return 'PreflightRequest'
  if (method === 'POST' && target.bucket === 'WriteGetObjectResponse') return 'WriteGetObjectResponse'
  const resource = resourceOf(target)
  const subresource = subresourceOf(query)
  requirePlace(method, resource, subresource)
  if (resource === 'object' && isOfBucket(method, subresource)) throw keyNotExpected(method, subresource)
  const methods = TABLE.get(place(resource, subresource))
  const candidates = methods?.get(method)
  if (candidates === undefined) throw methodNotAllowed(method, resource, subresource, methods)
  const chosen = candidates.find(({ row }) => selects(row, query, headers))
  if (chosen === undefined) throw new S3Error('NotImplemented')
  requirePartParameters(chosen.name, query)
  return chosen.name
}

const resourceOf = ({ bucket, key }: AddressedResource): Resource => {
  if (bucket === undefined) return 'service'
  return key === undefined ? 'bucket' : 'object'
}

const subresourceOf = (query: Query): string | undefined => {
  const found = new Set<string>()
  for (const [name, value] of query.entries) {
    if (SUBRESOURCES.has(name)) found.add(name)
    else if (value === '' && !isParameter(name)) {
      throw new S3Error('NotImplemented', { message: `The sub-resource ${JSON.stringify(name)} is not implemented.` })
    }
  }
  if (found.size > 1) {
    throw invalidArgument(
      `Conflicting query string parameters: ${[...found].join(', ')}`,
      'ResourceType',
      [...found].join(', '),
    )
  }
  const [subresource] = found
  return subresource
}

const requirePlace = (method: string, resource: Resource, subresource: string | undefined): void => {
  if (subresource === undefined || SUBRESOURCES.get(subresource)?.has(resource) === true) return
  if (resource === 'object') throw keyNotExpected(method, subresource)
  const missing = resource === 'service' ? 'bucket' : 'key'
  throw new S3Error('InvalidRequest', { message: `A ${missing} must be specified for the ?${subresource} subresource` })
}

/** Whether the method makes sense of the bucket's sub-resource alone, where a key has one of that name too (B80). */
const isOfBucket = (method: string, subresource: string | undefined): boolean =>
  subresource !== undefined &&
  TABLE.get(place('bucket', subresource))?.has(method) === true &&
  TABLE.get(place('object', subresource))?.has(method) !== true

const keyNotExpected = (method: string, subresource: string | undefined): S3Error =>
  new S3Error('InvalidRequest', {
    message: `Key is not expected for the ${method} method ?${subresource} subresource`,
  })

const methodNotAllowed = (
  method: string,
  resource: Resource,
  subresource: string | undefined,
  methods: ReadonlyMap<string, unknown> | undefined,
): S3Error =>
  new S3Error('MethodNotAllowed', {
    extra: { Method: method, ResourceType: (subresource ?? resource).toUpperCase() },
    headers: { allow: [...(methods?.keys() ?? [])].join(', ') },
  })

const selects = ({ selector }: OperationRow, query: Query, headers: Headers): boolean => {
  if (selector === undefined) return true
  return 'query' in selector ? query.has(selector.query) : headers.has(selector.header)
}

/** A part is named by uploadId and partNumber: with one of them missing a whole object would be written. */
const requirePartParameters = (name: OperationName, query: Query): void => {
  const isPart = name === 'UploadPart' || name === 'UploadPartCopy'
  const isWhole = name === 'PutObject' || name === 'CopyObject'
  if (isPart && !query.has('partNumber')) throw missingParameter('partNumber')
  if (isWhole && query.has('partNumber')) throw missingParameter('uploadId')
}

const missingParameter = (name: string): S3Error =>
  invalidArgument(`A part upload needs both partNumber and uploadId; ${name} is missing.`, name, '')
