/** The operations on what S3 keeps beside an object: of the embedded store done here, of a store that speaks S3 handed on. */
import { ACL_HEADERS } from './acl.ts'
import { BODY_HEADERS } from './operation-built.ts'
import type { OperationRow } from './operation-row.ts'

const GET = {
  class: 'forwarded',
  built: true,
  resource: 'object',
  method: 'GET',
  access: 'read',
  status: 200,
  body: 'none',
  query: ['versionId'],
  headers: [],
} as const
const PUT = { ...GET, method: 'PUT', access: 'write', body: 'document', headers: BODY_HEADERS } as const
const DELETE = { ...GET, method: 'DELETE', access: 'write', status: 204 } as const

const ACL =
  'Checked, kept and told on the embedded store; nobody is let in because of an ACL. Forwarded to a store that speaks S3, whose grants show only ciphertext.'
const LOCK =
  'Enforced by the embedded store; who may write a key may put and end legal holds on it, and pass over GOVERNANCE. Forwarded to a store that speaks S3, which enforces it.'
const TAGS =
  'Checked, kept and told on the embedded store. Forwarded to a store that speaks S3; tags are plaintext at the backend.'

export const OPERATIONS_BESIDE_OBJECTS = {
  GetObjectAcl: { ...GET, subresource: 'acl', reason: ACL },
  PutObjectAcl: { ...PUT, subresource: 'acl', headers: [...BODY_HEADERS, ...ACL_HEADERS], reason: ACL },
  GetObjectLegalHold: { ...GET, subresource: 'legal-hold', reason: LOCK },
  PutObjectLegalHold: { ...PUT, subresource: 'legal-hold', reason: LOCK },
  GetObjectRetention: { ...GET, subresource: 'retention', reason: LOCK },
  PutObjectRetention: { ...PUT, subresource: 'retention', reason: LOCK },
  GetObjectTagging: { ...GET, subresource: 'tagging', reason: TAGS },
  PutObjectTagging: { ...PUT, subresource: 'tagging', reason: TAGS },
  DeleteObjectTagging: { ...DELETE, subresource: 'tagging', reason: TAGS },
} as const satisfies Record<string, OperationRow>
