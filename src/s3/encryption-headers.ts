/** Server-side encryption as requests ask for it and answers tell it (S3 user guide, "Protecting data with encryption"; B54, B105). */
import { timingSafeEqual } from 'node:crypto'
import { type Secret, takeShortSecret } from '../secret-bytes.ts'
import { S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { newMd5Hash } from './md5.ts'

export const SSE = 'x-amz-server-side-encryption'
const KEY_ID = `${SSE}-aws-kms-key-id`
const CONTEXT = `${SSE}-context`
const BUCKET_KEY = `${SSE}-bucket-key-enabled`

const COPY_SOURCE = 'x-amz-copy-source-server-side-encryption'

const customerHeaders = (prefix: string): readonly string[] => [
  `${prefix}-customer-algorithm`,
  `${prefix}-customer-key`,
  `${prefix}-customer-key-md5`,
]

/** The three headers that bring a customer's key (SSE-C). */
export const CUSTOMER_KEY_HEADERS = customerHeaders(SSE)
/** Those that bring the key of the source of a copy. */
export const SOURCE_KEY_HEADERS = customerHeaders(COPY_SOURCE)
/** What a new object may be asked to be encrypted with. */
export const ENCRYPTION_HEADERS = [SSE, KEY_ID, CONTEXT, BUCKET_KEY, ...CUSTOMER_KEY_HEADERS]

const CUSTOMER_KEYS = new Set([...CUSTOMER_KEY_HEADERS, ...SOURCE_KEY_HEADERS])

/** Whether a header brings a customer's key, or something about one. */
export const isCustomerKeyHeader = (name: string): boolean => CUSTOMER_KEYS.has(name)

/** Whether the value of a header is a customer's key or its digest: nobody may see it but the operation. */
export const isCustomerSecret = (name: string): boolean =>
  CUSTOMER_KEYS.has(name) && (name.endsWith('-customer-key') || name.endsWith('-customer-key-md5'))

/** A customer's key. Its bytes are out of reach of whatever prints or serialises objects. */
export class CustomerKey {
  readonly #bytes: Secret
  readonly #md5: string

  constructor(bytes: Secret, md5: string) {
    this.#bytes = bytes
    this.#md5 = md5
  }

  /** 32 bytes. */
  get bytes(): Secret {
    return this.#bytes
  }

  /** What an answer says of the key to whoever sent it. */
  get headers(): Record<string, string> {
    return { [`${SSE}-customer-algorithm`]: ALGORITHM, [`${SSE}-customer-key-md5`]: this.#md5 }
  }
}

const ALGORITHM = 'AES256'
const KEY_BYTES = 32

export const ENCRYPTION_MODES = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const
export type EncryptionMode = (typeof ENCRYPTION_MODES)[number]

/** What a write asks for. */
export interface EncryptionRequest {
  readonly mode: EncryptionMode | undefined
  /** As the client wrote it. */
  readonly keyId: string | undefined
  /** base64 of a JSON map of strings. */
  readonly context: string | undefined
  readonly bucketKey: boolean | undefined
  readonly customerKey: CustomerKey | undefined
}

const refused = (message: string, name: string, value?: string): S3Error =>
  new S3Error('InvalidArgument', {
    message,
    extra: { ArgumentName: name, ...(value === undefined ? {} : { ArgumentValue: value }) },
  })

/** Reads what a write asks for. Throws `InvalidArgument` for values and combinations that S3 does not know, `InvalidEncryptionAlgorithmError`. */
export const parseEncryption = (headers: Headers): EncryptionRequest => {
  const value = headers.get(SSE)
  if (value !== undefined && CUSTOMER_KEY_HEADERS.some((name) => headers.has(name))) {
    throw refused(
      'Server Side Encryption with Customer provided key is incompatible with the encryption method specified',
      SSE,
      value,
    )
  }
  const mode = ENCRYPTION_MODES.find((known) => known === value)
  if (value !== undefined && mode === undefined) {
    throw refused('The encryption method specified is not supported', SSE, value)
  }
  const keyId = headers.get(KEY_ID)
  const context = headers.get(CONTEXT)
  if ((keyId !== undefined || context !== undefined) && !isKms(mode)) {
    throw refused(
      'Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms',
      SSE,
      value ?? 'null',
    )
  }
  if (context !== undefined) checkContext(context)
  const bucketKey = parseFlag(headers.get(BUCKET_KEY))
  return { mode, keyId, context, bucketKey, customerKey: parseCustomerKey(headers) }
}

/** Whether the key is one of a key manager that the client may choose. */
export const isKms = (mode: EncryptionMode | undefined): boolean => mode === 'aws:kms' || mode === 'aws:kms:dsse'

const parseFlag = (value: string | undefined): boolean | undefined => {
  if (value === undefined) return undefined
  const word = value.toLowerCase()
  if (word === 'true' || word === 'false') return word === 'true'
  throw refused(`Value for ${BUCKET_KEY} header is invalid.`, BUCKET_KEY, value)
}

const checkContext = (value: string): void => {
  const bytes = Buffer.from(value, 'base64')
  const isMap = bytes.toString('base64') === value && isStringMap(bytes)
  if (isMap) return
  throw refused(
    `The header '${CONTEXT}' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map`,
    CONTEXT,
    value,
  )
}

const isStringMap = (bytes: Buffer): boolean => {
  try {
    const map: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof map !== 'object' || map === null || Array.isArray(map)) return false
    return Object.values(map).every((entry) => typeof entry === 'string')
  } catch {
    return false
  }
}

/** The customer's key of a request, if it brings one. Throws `InvalidArgument`; neither key nor digest are in any message. */
export const parseCustomerKey = (headers: Headers): CustomerKey | undefined => readCustomerKey(headers, SSE)

/** The key of the source of a copy, if the request brings one. */
export const parseSourceKey = (headers: Headers): CustomerKey | undefined => readCustomerKey(headers, COPY_SOURCE)

const NEEDS = 'Requests specifying Server Side Encryption with Customer provided keys must provide'

const readCustomerKey = (headers: Headers, prefix: string): CustomerKey | undefined => {
  const [algorithm, text, digest] = customerHeaders(prefix).map((name) => headers.get(name))
  if (algorithm === undefined && text === undefined && digest === undefined) return undefined
  if (algorithm === undefined) throw refused(`${NEEDS} a valid encryption algorithm.`, SSE, 'null')
  if (algorithm !== ALGORITHM) {
    throw new S3Error('InvalidEncryptionAlgorithmError', { extra: { ArgumentName: SSE } })
  }
  const appropriate = `${NEEDS} an appropriate secret key.`
  if (text === undefined) throw refused(appropriate, `${prefix}-customer-key`, 'null')
  if (digest === undefined) {
    throw refused(`${NEEDS} the client calculated MD5 of the secret key.`, `${prefix}-customer-key-MD5`, 'null')
  }
  const bytes = takeShortSecret(Buffer.from(text, 'base64'))
  if (bytes.toString('base64') !== text) throw refused(appropriate, `${prefix}-customer-key`)
  const md5 = newMd5Hash().update(bytes).digest()
  const claimed = Buffer.from(digest, 'base64')
  if (claimed.length !== md5.length || claimed.toString('base64') !== digest || !timingSafeEqual(claimed, md5)) {
    throw refused('The calculated MD5 hash of the key did not match the hash that was provided.', SSE, 'null')
  }
  if (bytes.length !== KEY_BYTES) {
    throw refused('The secret key was invalid for the specified algorithm.', `${prefix}-customer-key`)
  }
  return new CustomerKey(bytes, digest)
}

/** How an object is encrypted, as answers say it. */
export interface ToldEncryption {
  readonly mode: EncryptionMode
  /** Empty if none was named. */
  readonly keyId: string
  readonly bucketKey: boolean
}

export const encryptionHeaders = ({ mode, keyId, bucketKey }: ToldEncryption): Record<string, string> => ({
  [SSE]: mode,
  ...(keyId === '' ? {} : { [KEY_ID]: keyId }),
  ...(bucketKey ? { [BUCKET_KEY]: 'true' } : {}),
})

export const contextHeader = (context: string | undefined): Record<string, string> =>
  context === undefined ? {} : { [CONTEXT]: context }

const KEY_NAME = /^(?:(?:arn:[a-z0-9-]*:kms:[a-z0-9-]*:[a-z0-9-]*:)?alias\/)?([a-z0-9-]{1,15})$/

/** The alias of a key manager that a key id names: bare, as `alias/…`, or as an ARN that ends so. `undefined` if it names none. */
export const aliasOfKeyId = (keyId: string): string | undefined => KEY_NAME.exec(keyId)?.[1]
