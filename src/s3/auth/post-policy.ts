/** Signed forms (S3 API reference, "Authenticating requests in browser-based uploads using POST"): who made the form, and what it allows. */
import { climbs } from '../address.ts'
import { isCustomerSecret } from '../encryption-headers.ts'
import { invalidArgument, S3Error } from '../errors.ts'
import { parseAmzDate } from './amz-date.ts'
import { type AuthContext, requireRegion, requireSameDay } from './authenticate.ts'
import { ALGORITHM } from './canonical-request.ts'
import { MAX_SKEW_MS, signatureVersion2 } from './header-auth.ts'
import { parseCredential, type Refuse } from './scope.ts'
import { signatureMismatch } from './signature-mismatch.ts'
import { sameSignature, signatureOf, signingKey } from './signing-key.ts'

/** Fields of a form by their names in lower case. */
export type FormFields = ReadonlyMap<string, string>

/** Bytes that the file may have, both ends included. */
export interface SizeRange {
  readonly least: number
  readonly most: number
}

export interface FormAuthenticated {
  readonly accessKey: string
  readonly size: SizeRange
}

const ANY_SIZE: SizeRange = { least: 0, most: Number.MAX_SAFE_INTEGER }

const VERSION_2 = ['awsaccesskeyid', 'signature']
const VERSION_4 = [
  'policy',
  'x-amz-signature',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-algorithm',
  'x-amz-security-token',
]

/** Need not stand in the policy. */
const EXEMPT = new Set(['x-amz-signature', 'file', 'policy', 'signature', 'awsaccesskeyid'])

/**
 * Who made the form; `undefined` for a form without a signature. Throws what S3 answers to one that is not signed rightly,
 * has expired, or whose fields its policy does not allow. `bucket` is the one that is posted to.
 */
export function authenticateForm(
  fields: FormFields,
  bucket: string,
  context: AuthContext,
): FormAuthenticated | undefined {
  if (!VERSION_4.some((name) => fields.has(name))) {
    if (VERSION_2.some((name) => fields.has(name))) throw signatureVersion2()
    return undefined
  }
  const policy = required(fields, 'policy')
  const accessKey = requireSigned(fields, policy, context)
  const { expires, conditions } = parsePolicy(policy)
  if (expires <= context.now.getTime()) throw denied('Policy expired.')
  return { accessKey, size: requireAllowed(new Map([...fields, ['bucket', bucket]]), conditions) }
}

/** The access key whose secret has signed the policy. */
function requireSigned(fields: FormFields, policy: string, context: AuthContext): string {
  if (required(fields, 'x-amz-algorithm') !== ALGORITHM) {
    throw invalidField('x-amz-algorithm', fields, `X-Amz-Algorithm only supports "${ALGORITHM}"`)
  }
  const refuse: Refuse = (detail) =>
    invalidField('x-amz-credential', fields, `Error parsing the X-Amz-Credential parameter; ${detail}`)
  const { accessKey, scope } = parseCredential(required(fields, 'x-amz-credential'), refuse)
  const amzDate = required(fields, 'x-amz-date')
  const signature = required(fields, 'x-amz-signature')
  const time = parseAmzDate(amzDate)
  if (time === undefined) {
    throw invalidField('x-amz-date', fields, `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
  }
  if (time - context.now.getTime() > MAX_SKEW_MS) throw denied('the form is not valid yet.')
  requireRegion({ scope, refuse }, context.region)
  const credential = context.lookup(accessKey)
  if (credential === undefined) throw new S3Error('InvalidAccessKeyId', { extra: { AWSAccessKeyId: accessKey } })
  requireSameDay({ scope, amzDate, refuse })
  if (fields.has('x-amz-security-token')) throw new S3Error('InvalidToken')
  const key = signingKey(credential.secret, scope.date, scope.region, scope.service)
  // A signature is over bytes; base64 has no others.
  if (!BASE64.test(policy)) throw badPolicy('The policy is not base64.')
  if (sameSignature(signatureOf(key, policy), signature)) return accessKey
  throw signatureMismatch({ accessKey, signature, stringToSign: policy })
}

const BASE64 = /^[A-Za-z0-9+/=\s]+$/

type Condition =
  | { readonly kind: 'eq' | 'starts-with'; readonly field: string; readonly value: string }
  | ({ readonly kind: 'size' } & SizeRange)

interface Policy {
  /** Milliseconds since 1970. */
  readonly expires: number
  readonly conditions: readonly Condition[]
}

/** Reads a policy. Throws `InvalidPolicyDocument`. */
export function parsePolicy(base64: string): Policy {
  const document = parseJson(base64)
  if (!isObject(document)) throw badPolicy('The policy is not a JSON object.')
  const strange = Object.keys(document).find((name) => name !== 'expiration' && name !== 'conditions')
  if (strange !== undefined) throw badPolicy(`Unexpected: '${strange}'.`)
  const { expiration, conditions } = document
  if (typeof expiration !== 'string') throw badPolicy('Policy missing expiration.')
  const expires = ISO_DATE.test(expiration) ? Date.parse(expiration) : Number.NaN
  if (Number.isNaN(expires)) throw badPolicy(`Invalid 'expiration' value: '${expiration}'`)
  if (!Array.isArray(conditions)) throw badPolicy('Policy missing conditions.')
  return { expires, conditions: conditions.flatMap(parseCondition) }
}

const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

function parseJson(base64: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64')))
  } catch {
    throw badPolicy('Invalid JSON.')
  }
}

function parseCondition(condition: unknown): Condition[] {
  if (Array.isArray(condition)) return [parseListed(condition)]
  const pairs = isObject(condition) ? Object.entries(condition) : []
  if (pairs.length === 0) throw badPolicy('Invalid Simple-Condition: it must have exactly one property.')
  return pairs.map(([field, value]) => {
    if (typeof value !== 'string') throw badPolicy('Invalid Simple-Condition: value must be a string.')
    return { kind: 'eq', field: field.toLowerCase(), value }
  })
}

function parseListed(condition: readonly unknown[]): Condition {
  const [operator, first, second, ...rest] = condition
  const kind = typeof operator === 'string' ? operator.toLowerCase() : ''
  if (second === undefined || rest.length > 0) throw badPolicy(`Invalid condition: ${JSON.stringify(condition)}`)
  if (kind === 'content-length-range') return { kind: 'size', least: bytes(first), most: bytes(second) }
  if (kind !== 'eq' && kind !== 'starts-with') throw badPolicy(`Invalid condition: ${JSON.stringify(condition)}`)
  if (typeof first !== 'string' || !first.startsWith('$') || typeof second !== 'string') {
    throw badPolicy(`Invalid condition: ${JSON.stringify(condition)}`)
  }
  return { kind, field: first.slice(1).toLowerCase(), value: second }
}

/** A count of bytes, as a number or as the text of one. */
function bytes(value: unknown): number {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(count)) throw badPolicy('Invalid content-length-range: it must be two numbers of bytes.')
  return count
}

/** Every condition holds, and every field is in a condition. What is left to check is the size of the file. */
function requireAllowed(fields: FormFields, conditions: readonly Condition[]): SizeRange {
  let size = ANY_SIZE
  const covered = new Set<string>()
  for (const condition of conditions) {
    if (condition.kind === 'size') {
      size = { least: Math.max(size.least, condition.least), most: Math.min(size.most, condition.most) }
      continue
    }
    const { kind, field, value } = condition
    covered.add(field)
    const given = fields.get(field) ?? ''
    const out = field === 'key' && value !== '' && climbs(given)
    const holds = kind === 'eq' ? given === value : given.startsWith(value) && !out
    // A condition on a field that the form does not have fails, also where anything would do.
    const shown = isCustomerSecret(field) ? '(left out)' : value
    if (!holds || !fields.has(field)) throw denied(`Policy Condition failed: ["${kind}", "$${field}", "${shown}"]`)
  }
  const extra = [...fields.keys()].filter(
    (name) => !covered.has(name) && !EXEMPT.has(name) && !name.startsWith('x-ignore-'),
  )
  if (extra.length > 0) throw denied(`Extra input fields: ${extra.join(', ')}`)
  return size
}

function required(fields: FormFields, name: string): string {
  const value = fields.get(name)
  if (value !== undefined && value !== '') return value
  throw invalidArgument(
    `Bucket POST must contain a field named '${name}'.  If it is specified, please check the order of the fields.`,
    name,
    '',
  )
}

const invalidField = (name: string, fields: FormFields, message: string): S3Error =>
  invalidArgument(message, name, fields.get(name) ?? '')

const denied = (why: string): S3Error => new S3Error('AccessDenied', { message: `Invalid according to Policy: ${why}` })

const badPolicy = (why: string): S3Error => new S3Error('InvalidPolicyDocument', { message: `Invalid Policy: ${why}` })

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
