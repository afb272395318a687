/** Access control lists (S3 user guide, "Access control list (ACL) overview"; B71): canned, as headers, or as a document, and the document that GET answers. */
import { invalidArgument, S3Error, unbuiltHeader } from './errors.ts'
import type { Headers } from './headers.ts'
import { admitRoot, anyText, group as shape, many, oneOf, optional, required } from './configuration/schema.ts'
import { child, childText, el, escapeXml, group, parseXml, type XmlElement, xmlDocument } from './xml.ts'

export type Permission = 'FULL_CONTROL' | 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP'

/** The owner, or one of the groups of S3, by its URI. */
export type Grantee = { readonly id: string } | { readonly uri: string }

export interface Grant {
  readonly grantee: Grantee
  readonly permission: Permission
}

/** Who owns everything. */
export interface AclOwner {
  readonly id: string
  readonly displayName: string
}

const GROUPS = 'http://acs.amazonaws.com/groups/'
const ALL_USERS = `${GROUPS}global/AllUsers`
const AUTHENTICATED_USERS = `${GROUPS}global/AuthenticatedUsers`
const LOG_DELIVERY = `${GROUPS}s3/LogDelivery`
const KNOWN_GROUPS = [ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY]

const MAX_GRANTS = 100
const CANNED = 'x-amz-acl'
/** Grants to EC2, which is not there. */
const FOR_EC2 = 'aws-exec-read'

/** What a canned ACL grants beside the owner's full control. */
const CANNED_GRANTS: Readonly<Record<string, readonly (readonly [string, Permission])[]>> = {
  private: [],
  'public-read': [[ALL_USERS, 'READ']],
  'public-read-write': [
    [ALL_USERS, 'READ'],
    [ALL_USERS, 'WRITE'],
  ],
  'authenticated-read': [[AUTHENTICATED_USERS, 'READ']],
}

/** Buckets and objects have some of their own. An object's owner is the bucket's. */
const OF_BUCKETS: typeof CANNED_GRANTS = {
  'log-delivery-write': [
    [LOG_DELIVERY, 'WRITE'],
    [LOG_DELIVERY, 'READ_ACP'],
  ],
}
const OF_OBJECTS: typeof CANNED_GRANTS = {
  'bucket-owner-read': [],
  'bucket-owner-full-control': [],
  [FOR_EC2]: [],
}

const GRANT_HEADERS: readonly (readonly [string, Permission])[] = [
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-write', 'WRITE'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
]

/** All that speak of an ACL. */
export const ACL_HEADERS: readonly string[] = [CANNED, ...GRANT_HEADERS.map(([name]) => name)]

const PERMISSION = oneOf('FULL_CONTROL', 'READ', 'WRITE', 'READ_ACP', 'WRITE_ACP')

const POLICY = shape({
  Owner: required(shape({ ID: optional(anyText), DisplayName: optional(anyText) })),
  AccessControlList: required(
    shape({
      Grant: many(
        shape({
          Grantee: required(
            shape({
              ID: optional(anyText),
              DisplayName: optional(anyText),
              URI: optional(anyText),
              EmailAddress: optional(anyText),
            }),
          ),
          Permission: required(PERMISSION),
        }),
      ),
    }),
  ),
})

export const ownerOnly = ({ id }: AclOwner): readonly Grant[] => [{ grantee: { id }, permission: 'FULL_CONTROL' }]

/** Whether headers speak of an ACL at all. */
export const hasAclHeaders = (headers: Headers): boolean => ACL_HEADERS.some((name) => headers.has(name))

/** The grants that headers ask for; `undefined` if they say nothing. Throws `InvalidArgument`, `InvalidRequest` for both kinds at once, `UnresolvableGrantByEmailAddress`. */
export const parseAclHeaders = (
  headers: Headers,
  owner: AclOwner,
  of: 'bucket' | 'object',
): readonly Grant[] | undefined => {
  const named = GRANT_HEADERS.filter(([name]) => headers.has(name))
  const canned = headers.get(CANNED)
  if (canned === undefined) {
    if (named.length === 0) return undefined
    const grants = named.flatMap(([name, permission]) =>
      granteesIn(headers.get(name) ?? '', name, owner).map((grantee) => ({ grantee, permission })),
    )
    return bounded(grants)
  }
  const more = of === 'bucket' ? OF_BUCKETS : OF_OBJECTS
  const granted = own(CANNED_GRANTS, canned) ?? own(more, canned)
  // Of a bucket S3 takes the two that speak of its owner too, and does nothing with them.
  const extra = granted ?? (of === 'bucket' ? own(OF_OBJECTS, canned) : undefined)
  if (extra === undefined) throw invalidArgument(`Value for ${CANNED} header is invalid.`, CANNED, canned)
  if (of === 'object' && canned === FOR_EC2) throw unbuiltHeader(`${CANNED}: ${canned}`)
  if (named.length > 0) {
    throw new S3Error('InvalidRequest', { message: 'Specifying both Canned ACLs and Header Grants is not allowed' })
  }
  return [...ownerOnly(owner), ...extra.map(([uri, permission]) => ({ grantee: { uri }, permission }))]
}

const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/** `id="…", uri="…", emailAddress="…"`, with or without quotes. */
function granteesIn(header: string, name: string, owner: AclOwner): readonly Grantee[] {
  return header.split(',').map((one) => {
    const [, kind, quoted, plain] = /^\s*(id|uri|emailAddress)\s*=\s*(?:"([^"]*)"|([^"\s]*))\s*$/i.exec(one) ?? []
    const value = quoted ?? plain ?? ''
    if (kind === undefined || value === '') throw invalidArgument('Argument format not recognized', name, header)
    return granteeOf(kind.toLowerCase(), value, owner)
  })
}

/** Whom a client means. Sealgate has one account: others are as unknown as they are to S3. */
function granteeOf(kind: string, value: string, owner: AclOwner): Grantee {
  if (kind === 'emailaddress') {
    throw new S3Error('UnresolvableGrantByEmailAddress', { extra: { EmailAddress: value } })
  }
  if (kind === 'id') {
    if (value !== owner.id) throw invalidArgument('Invalid id', 'id', value)
    return { id: value }
  }
  if (!KNOWN_GROUPS.includes(value)) throw invalidArgument('Invalid group uri', 'uri', value)
  return { uri: value }
}

function bounded(grants: readonly Grant[]): readonly Grant[] {
  if (grants.length > MAX_GRANTS) {
    throw new S3Error('InvalidRequest', { message: `An ACL can have up to ${MAX_GRANTS} grants.` })
  }
  return grants
}

/** The grants of an `AccessControlPolicy`. Throws `MalformedACLError`, `AccessDenied` for another owner, and what headers throw. */
export const parseAclDocument = (document: Uint8Array, maxBytes: number, owner: AclOwner): readonly Grant[] => {
  const root = admittedPolicy(document, maxBytes)
  const named = childText(child(root, 'Owner') ?? root, 'ID')?.trim() ?? ''
  if (named !== '' && named !== owner.id) throw new S3Error('AccessDenied')
  const list = child(root, 'AccessControlList')?.children ?? []
  return bounded(list.map((grant) => grantIn(grant, owner)))
}

function admittedPolicy(document: Uint8Array, maxBytes: number): XmlElement {
  const root = parseXml(document, maxBytes)
  try {
    return admitRoot(root, 'AccessControlPolicy', POLICY)
  } catch (cause) {
    throw new S3Error('MalformedACLError', { cause })
  }
}

function grantIn(grant: XmlElement, owner: AclOwner): Grant {
  const grantee = child(grant, 'Grantee')
  const named = (grantee?.children ?? []).filter(({ name, text }) => name !== 'DisplayName' && text.trim() !== '')
  const [one] = named
  if (one === undefined || named.length > 1) throw new S3Error('MalformedACLError')
  const permission = GRANT_HEADERS.find(([, word]) => word === childText(grant, 'Permission'))?.[1]
  if (permission === undefined) throw new S3Error('MalformedACLError')
  return { grantee: granteeOf(one.name.toLowerCase(), one.text.trim(), owner), permission }
}

/** Whether anybody but the owner is granted anything. */
export const grantsOthers = (grants: readonly Grant[]): boolean => grants.some(({ grantee }) => 'uri' in grantee)

/** Whether everybody, or everybody with any AWS account, is granted anything. */
export const isPublic = (grants: readonly Grant[]): boolean =>
  grants.some(({ grantee }) => 'uri' in grantee && grantee.uri !== LOG_DELIVERY)

/** The headers that grant on a new object what an answer of GetObjectAcl says; none where its owner has all rights and nobody else any. */
export function grantHeadersOf(policy: XmlElement): Record<string, string> {
  const owner = childText(child(policy, 'Owner') ?? policy, 'ID')
  const list = child(policy, 'AccessControlList')?.children ?? []
  const grants = list.map((grant) => ({ permission: childText(grant, 'Permission'), to: grantedTo(grant, owner) }))
  if (grants.every(({ permission, to }) => permission === 'FULL_CONTROL' && to === `id="${owner}"`)) return {}
  const named = GRANT_HEADERS.map(([name, word]) => {
    const granted = grants.filter(({ permission }) => permission === word).map(({ to }) => to)
    return [name, granted.join(', ')] as const
  })
  return Object.fromEntries(named.filter(([, value]) => value !== ''))
}

function grantedTo(grant: XmlElement, owner: string | undefined): string {
  const grantee = child(grant, 'Grantee') ?? grant
  const [id, uri] = [childText(grantee, 'ID'), childText(grantee, 'URI')]
  // A store without accounts (MinIO) names neither its owner nor to whom it grants.
  const nameless = id === undefined && uri === undefined
  if (nameless && (owner ?? '') !== '') throw new S3Error('MalformedACLError')
  if (nameless) return `id="${owner}"`
  return id === undefined ? `uri="${uri}"` : `id="${id}"`
}

const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

const renderGrantee = (grantee: Grantee, { displayName }: AclOwner): string =>
  'id' in grantee
    ? `<Grantee ${XSI} xsi:type="CanonicalUser">${el('ID', grantee.id)}${el('DisplayName', displayName)}</Grantee>`
    : `<Grantee ${XSI} xsi:type="Group"><URI>${escapeXml(grantee.uri)}</URI></Grantee>`

/** The document that GET answers. */
export const renderAcl = (grants: readonly Grant[], owner: AclOwner): string =>
  xmlDocument(
    'AccessControlPolicy',
    group('Owner', el('ID', owner.id), el('DisplayName', owner.displayName)),
    group(
      'AccessControlList',
      ...grants.map((grant) => group('Grant', renderGrantee(grant.grantee, owner), el('Permission', grant.permission))),
    ),
  )

/** A few characters for what is kept: grants as `PERMISSION=group` and `PERMISSION` for the owner, joined by commas. */
export const encodeGrants = (grants: readonly Grant[]): string =>
  grants
    .map(({ grantee, permission }) =>
      'uri' in grantee ? `${permission}=${grantee.uri.slice(GROUPS.length)}` : permission,
    )
    .join(',')

/** What `encodeGrants` made. */
export const decodeGrants = (text: string, { id }: AclOwner): readonly Grant[] =>
  text.split(',').flatMap((one) => {
    const [word, name] = one.split('=', 2)
    const permission = GRANT_HEADERS.find(([, known]) => known === word)?.[1]
    if (permission === undefined) return []
    return [{ permission, grantee: name === undefined ? { id } : { uri: `${GROUPS}${name}` } }]
  })
