/** Cross-origin rules of a bucket (S3 API reference, "CORSRule") and what they say of a request (B102). */
import { invalidArgument, S3Error } from './errors.ts'
import { childrenNamed, childText, el, group, parseXml, xmlDocument, type XmlElement } from './xml.ts'

export const CORS_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'] as const
export type CorsMethod = (typeof CORS_METHODS)[number]

export interface CorsRule {
  readonly id?: string | undefined
  /** Origins as browsers write them; one `*` stands for any characters. */
  readonly origins: readonly string[]
  readonly methods: readonly CorsMethod[]
  /** Request headers that a preflight may ask for; one `*` stands for any characters. */
  readonly headers: readonly string[]
  /** Response headers that scripts may read. */
  readonly exposed: readonly string[]
  /** How long a browser may remember a preflight. */
  readonly maxAgeSeconds?: number | undefined
}

/** S3's limits. */
export const MAX_CORS_RULES = 100
export const MAX_CORS_BYTES = 64 * 1024
const MAX_ID_CHARACTERS = 255

/** Parses and checks a CORSConfiguration. Throws `MalformedXML`, `InvalidRequest` or `InvalidArgument` as S3 does. */
export function parseCors(document: Uint8Array): CorsRule[] {
  const root = parseXml(document, MAX_CORS_BYTES)
  if (root.name !== 'CORSConfiguration' || root.children.length === 0) throw new S3Error('MalformedXML')
  if (root.children.some(({ name }) => name !== 'CORSRule')) throw new S3Error('MalformedXML')
  if (root.children.length > MAX_CORS_RULES) {
    throw invalid(`The number of CORS rules should not exceed allowed limit of ${MAX_CORS_RULES} rules.`)
  }
  return root.children.map(parseRule)
}

/** The document of GetBucketCors. */
export function renderCors(rules: readonly CorsRule[]): string {
  return xmlDocument('CORSConfiguration', ...rules.map(renderRule))
}

function renderRule({ id, origins, methods, headers, exposed, maxAgeSeconds }: CorsRule): string {
  return group(
    'CORSRule',
    el('ID', id),
    ...headers.map((header) => el('AllowedHeader', header)),
    ...methods.map((method) => el('AllowedMethod', method)),
    ...origins.map((origin) => el('AllowedOrigin', origin)),
    ...exposed.map((header) => el('ExposeHeader', header)),
    el('MaxAgeSeconds', maxAgeSeconds),
  )
}

const RULE_ELEMENTS = new Set([
  'ID',
  'AllowedHeader',
  'AllowedMethod',
  'AllowedOrigin',
  'ExposeHeader',
  'MaxAgeSeconds',
])

function parseRule(rule: XmlElement): CorsRule {
  const once = ['ID', 'MaxAgeSeconds'].every((name) => childrenNamed(rule, name).length <= 1)
  if (!once || rule.children.some(({ name }) => !RULE_ELEMENTS.has(name))) throw new S3Error('MalformedXML')
  const origins = texts(rule, 'AllowedOrigin')
  const methods = texts(rule, 'AllowedMethod')
  if (origins.length === 0 || methods.length === 0) throw new S3Error('MalformedXML')
  const headers = texts(rule, 'AllowedHeader')
  requireOneWildcard('AllowedOrigin', origins)
  requireOneWildcard('AllowedHeader', headers)
  const id = childText(rule, 'ID')
  if (id !== undefined && id.length > MAX_ID_CHARACTERS) {
    throw invalidArgument(
      `ID length should not exceed allowed limit of ${MAX_ID_CHARACTERS}`,
      'ID',
      id.slice(0, MAX_ID_CHARACTERS),
    )
  }
  return {
    id,
    origins,
    methods: methods.map(parseMethod),
    headers,
    exposed: texts(rule, 'ExposeHeader').map(parseExposed),
    maxAgeSeconds: parseMaxAge(childText(rule, 'MaxAgeSeconds')),
  }
}

function texts(rule: XmlElement, name: string): string[] {
  const found = childrenNamed(rule, name).map(({ text }) => text)
  if (found.includes('')) throw new S3Error('MalformedXML')
  return found
}

function requireOneWildcard(name: string, values: readonly string[]): void {
  const bad = values.find((value) => value.indexOf('*') !== value.lastIndexOf('*'))
  if (bad !== undefined) throw invalid(`${name} "${bad}" can not have more than one wildcard.`)
}

function parseMethod(text: string): CorsMethod {
  const method = CORS_METHODS.find((known) => known === text)
  if (method === undefined) {
    throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${text}`)
  }
  return method
}

/** Goes into a response header as it stands, so it must be the name of one. */
function parseExposed(text: string): string {
  if (text.includes('*')) {
    throw invalid(`ExposeHeader "${text}" contains wildcard. We currently do not support wildcard for ExposeHeader.`)
  }
  if (!HEADER_NAME.test(text)) throw invalid(`ExposeHeader "${text}" contains invalid character.`)
  return text
}

function parseMaxAge(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,10}$/.test(text) || Number(text) > MAX_INT) throw new S3Error('MalformedXML')
  return Number(text)
}

const invalid = (message: string): S3Error => new S3Error('InvalidRequest', { message })

const HEADER_NAME = /^[!#$%&'+.^_`|~\dA-Za-z-]+$/
const MAX_INT = 2 ** 31 - 1

/** What a browser asks on behalf of a script. */
export interface CorsQuestion {
  readonly origin: string
  readonly method: string
  /** Of a preflight: the headers that the request will have, in any case. */
  readonly headers?: readonly string[]
}

/** The headers of the answer by the first rule that allows origin, method and headers; `undefined` if none does. */
export function corsHeaders(rules: readonly CorsRule[], question: CorsQuestion): Record<string, string> | undefined {
  for (const rule of rules) {
    const origin = rule.origins.find((pattern) => fits(pattern, question.origin))
    if (origin !== undefined && allows(rule, question)) return answer(rule, origin === '*', question)
  }
  return undefined
}

function allows({ methods, headers }: CorsRule, question: CorsQuestion): boolean {
  if (!methods.some((method) => method === question.method)) return false
  const patterns = headers.map((pattern) => pattern.toLowerCase())
  return (question.headers ?? []).every((header) => patterns.some((pattern) => fits(pattern, header.toLowerCase())))
}

/** A rule for `*` says so, and then a browser sends no credentials of its own; any other names the origin back. */
function answer(rule: CorsRule, anyOrigin: boolean, { origin, headers = [] }: CorsQuestion): Record<string, string> {
  const { methods, exposed, maxAgeSeconds } = rule
  return {
    'access-control-allow-origin': anyOrigin ? '*' : origin,
    'access-control-allow-methods': methods.join(', '),
    ...(headers.length === 0 ? {} : { 'access-control-allow-headers': headers.join(', ').toLowerCase() }),
    ...(exposed.length === 0 ? {} : { 'access-control-expose-headers': exposed.join(', ') }),
    ...(maxAgeSeconds === undefined ? {} : { 'access-control-max-age': String(maxAgeSeconds) }),
    ...(anyOrigin ? {} : { 'access-control-allow-credentials': 'true' }),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  }
}

/** One `*` in the pattern stands for any characters. */
function fits(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === text
  const end = pattern.slice(star + 1)
  return text.length >= pattern.length - 1 && text.startsWith(pattern.slice(0, star)) && text.endsWith(end)
}

/** Reads a preflight (Fetch standard, "CORS-preflight request"). Throws `BadRequest` for one that asks nothing. */
export function parsePreflight(get: (name: string) => string | undefined): CorsQuestion {
  const origin = get('origin')
  if (origin === undefined || origin === '') {
    throw new S3Error('BadRequest', { message: 'Insufficient information. Origin request header needed.' })
  }
  const method = get('access-control-request-method') ?? ''
  if (!CORS_METHODS.some((known) => known === method)) {
    throw new S3Error('BadRequest', {
      message: `Invalid Access-Control-Request-Method: ${method === '' ? 'null' : method}`,
    })
  }
  const headers = (get('access-control-request-headers') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  return { origin, method, headers }
}
