/** Who sends a request, whether they may, and what is left of it to run: the way in by headers or URL. */
import type { Gateway, RequestBody } from '../gateway/gateway.ts'
import type { Target } from '../s3/address.ts'
import { anonymousPayload, isAnonymous } from '../s3/auth/anonymous.ts'
import { type AuthContext, authenticate } from '../s3/auth/authenticate.ts'
import type { PayloadMode } from '../s3/auth/payload-mode.ts'
import type { Headers } from '../s3/headers.ts'
import { OPERATIONS, requireBuilt } from '../s3/operation.ts'
import type { OperationName } from '../s3/operation-name.ts'
import type { OperationRow } from '../s3/operation-row.ts'
import type { FormReply } from '../s3/post-form.ts'
import { type ScreenOptions, screenOwner, screenRequest } from '../s3/screen.ts'
import type { AuthKind } from '../telemetry/channels.ts'
import type { Authoriser, Caller } from './authoriser.ts'
import { type CustomerKeyRules, screenCustomerKeys } from './customer-keys.ts'
import { requireLength } from './request-body.ts'

export interface EntranceParts {
  readonly gateway: Gateway
  readonly authoriser: Authoriser
  /** The region that scopes must name; `undefined` accepts any. */
  readonly region: string | undefined
  /** Whether customers' keys (SSE-C) may come over plain HTTP. */
  readonly customerKeysOverHttp: boolean
}

/** A request before anybody knows who sends it. */
export interface Arriving {
  readonly operation: OperationName
  readonly method: string
  readonly target: Target
  /** As they came over the wire. */
  readonly wire: Headers
  /** With those that a presigned URL stands for. */
  readonly headers: Headers
  /** The connection itself speaks TLS. */
  readonly secure: boolean
  /** Opens the body; once. */
  readonly open: (payload: PayloadMode) => RequestBody
  /** Told as soon as it is known, for the log. */
  readonly trace: { accessKey?: string; key?: string; auth?: AuthKind }
}

/** A request that may run. */
export interface Entered {
  readonly may: Caller
  readonly key: string
  readonly headers: Headers
  readonly body: RequestBody
  readonly form?: FormReply
  /** Lets go of a body that was not read to its end. */
  readonly release?: () => void
}

export const authContext = ({ gateway, authoriser, region }: EntranceParts): AuthContext => ({
  now: new Date(gateway.clock()),
  region,
  lookup: authoriser.lookup,
})

export const screenOptions = ({ gateway }: EntranceParts): ScreenOptions => {
  const { versions, native, forwards } = gateway.store.capabilities
  return { ownerId: gateway.owner.id, versions, native, ...(forwards === undefined ? {} : { forwards }) }
}

export const keyRules = (
  { customerKeysOverHttp }: EntranceParts,
  { secure }: Arriving,
  own: boolean,
): CustomerKeyRules => ({ hidden: secure || customerKeysOverHttp, forwarded: !own })

/** Authenticates, authorises and screens. Throws the `S3Error` to answer. `own`: the gateway runs it itself. */
export function enter(parts: EntranceParts, arriving: Arriving, own: boolean): Entered {
  const { operation, target, wire, headers } = arriving
  const row: OperationRow = OPERATIONS[operation]
  const { may, payload } = admit(parts, arriving, row)
  // A preflight asks about another request: what its URL is signed for is the other's.
  if (row.access !== 'none') screen(parts, arriving, own)
  requireLength(row.body, wire)
  return { may, key: target.key ?? '', headers, body: arriving.open(payload) }
}

function screen(parts: EntranceParts, arriving: Arriving, own: boolean): void {
  const { operation, target, headers } = arriving
  screenCustomerKeys(headers, keyRules(parts, arriving, own))
  if (own) screenRequest(operation, headers, target.query, screenOptions(parts))
  else screenOwner(headers, screenOptions(parts))
}

function admit(
  parts: EntranceParts,
  { operation, method, target, wire, headers, trace }: Arriving,
  row: OperationRow,
): { readonly may: Caller; readonly payload: PayloadMode } {
  const { gateway, authoriser } = parts
  if (row.access === 'none') return { may: authoriser.anonymous, payload: { kind: 'unsigned' } }
  if (isAnonymous(wire, target.query)) {
    authoriser.anonymous.operation(operation, row, target, headers)
    return { may: authoriser.anonymous, payload: anonymousPayload(wire) }
  }
  const { rawPath, query } = target
  const { kind, accessKey, payload } = authenticate({ method, rawPath, query, headers: wire }, authContext(parts))
  trace.accessKey = accessKey
  trace.auth = kind === 'header' ? 'AuthHeader' : 'QueryString'
  requireBuilt(operation, gateway.store.capabilities.native)
  const may = authoriser.of(accessKey)
  may.operation(operation, row, target, headers)
  return { may, payload }
}
