/** What the fields of an upload form ask for (S3 API reference, "POST Object"), in the terms of PutObject. */
import { requireKeyLength } from './address.ts'
import type { FormFields } from './auth/post-policy.ts'
import { isCustomerSecret } from './encryption-headers.ts'
import { invalidArgument, type S3Error } from './errors.ts'
import type { FormField } from './form-data.ts'
import { Headers } from './headers.ts'
import { isHeaderValue } from './metadata.ts'
import { parseTagging, renderTaggingHeader } from './tags.ts'

/** What the browser is told once the object is there. */
export interface FormReply {
  readonly status: 200 | 201 | 204
  /** Where it is sent instead. */
  readonly redirect: string | undefined
}

export interface PostForm {
  readonly key: string
  /** The request headers that PutObject would have come with. */
  readonly headers: Headers
  readonly reply: FormReply
}

/** Fields that are headers under the same name, beside those that begin with `x-amz-`. */
const HEADER_FIELDS = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-md5',
  'content-type',
  'expires',
])

/** Fields that are headers under another name. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['acl', 'x-amz-acl'],
  ['tagging', 'x-amz-tagging'],
  ['x-amz-checksum-algorithm', 'x-amz-sdk-checksum-algorithm'],
])

/** Fields of the signature. */
const SIGNING = new Set([
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-signature',
])

/**
 * The fields by name, in lower case, with `${filename}` filled in. A field that comes twice is refused: the policy could be
 * checked against one and the other be used.
 */
export function formFields(fields: readonly FormField[], filename: string): FormFields {
  const found = new Map<string, string>()
  for (const { name, value } of fields) {
    const lower = name.toLowerCase()
    if (found.has(lower)) throw moreThanOne(lower, value)
    const literal = SIGNING.has(lower) || lower === 'policy'
    found.set(lower, literal ? value : value.replaceAll('${filename}', () => filename))
  }
  return found
}

const moreThanOne = (name: string, value: string): S3Error =>
  invalidField(`The form has more than one field named '${name}'.`, name, value)

/** Error documents are logged by clients: they do not repeat a customer's key (SSE-C). */
const invalidField = (message: string, name: string, value: string): S3Error =>
  invalidArgument(message, name, isCustomerSecret(name) ? '(left out)' : value)

/** Reads what to store and what to answer. Throws `InvalidArgument` without a key or for what no header can hold. */
export function readPostForm(fields: FormFields): PostForm {
  const key = fields.get('key') ?? ''
  if (key === '') {
    throw invalidArgument(
      "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
      'key',
      '',
    )
  }
  requireKeyLength(key)
  return { key, headers: headersOf(fields), reply: replyOf(fields) }
}

function headersOf(fields: FormFields): Headers {
  const found = new Map<string, string>()
  for (const [name, value] of fields) {
    const header = RENAMED.get(name) ?? (isHeaderField(name) ? name : undefined)
    if (header === undefined) continue
    if (found.has(header)) throw moreThanOne(name, value)
    // Headers are bytes: the UTF-8 of the value.
    const bytes = name === 'tagging' ? taggingHeader(value) : Buffer.from(value).toString('latin1')
    if (!HEADER_NAME.test(header) || !isHeaderValue(bytes)) {
      throw invalidField('The form field cannot be represented as a header.', name, value)
    }
    found.set(header, bytes)
  }
  return new Headers([...found].flat())
}

const isHeaderField = (name: string): boolean =>
  HEADER_FIELDS.has(name) || (name.startsWith('x-amz-') && !SIGNING.has(name))

const HEADER_NAME = /^[!#$%&'*+.^_`|~\da-z-]+$/

/** The tags of a form are a document; those of PutObject are a query. */
const taggingHeader = (document: string): string =>
  renderTaggingHeader(parseTagging(Buffer.from(document), Buffer.byteLength(document)))

function replyOf(fields: FormFields): FormReply {
  const status = fields.get('success_action_status')
  const redirect = fields.get('success_action_redirect') ?? fields.get('redirect')
  return {
    status: status === '200' ? 200 : status === '201' ? 201 : 204,
    redirect: redirect !== undefined && isWebAddress(redirect) ? redirect : undefined,
  }
}

/** What S3 cannot read as a URL it takes for absent. */
const isWebAddress = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

/** The address of `success_action_redirect` with what was stored. */
export function redirectTo(address: string, stored: { bucket: string; key: string; etag: string }): string {
  const url = new URL(address)
  const added = Object.entries(stored).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  url.search = [...(url.search === '' ? [] : [url.search.slice(1)]), ...added].join('&')
  return url.href
}
