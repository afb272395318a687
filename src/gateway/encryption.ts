/** Server-side encryption as clients speak it: whose key seals an object, what is kept of the wish, and what answers say of it. */
import { type KmsDetails, kmsDetailsOf, kmsDetailsTlv, sseOf, sseTlv, type Tlv } from '../format/tlv.ts'
import {
  contextHeader,
  type CustomerKey,
  ENCRYPTION_MODES,
  encryptionHeaders,
  type EncryptionRequest,
  isKms,
  parseEncryption,
  type ToldEncryption,
} from '../s3/encryption-headers.ts'
import { S3Error } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'
import { bucketEncryption, managerOf } from './configuration/encryption.ts'
import { etagSign } from './etag.ts'
import type { Gateway } from './gateway.ts'

/** What a new object is sealed with. */
export interface Encryption {
  /** The key manager's alias; `undefined` for the default one. */
  readonly manager: string | undefined
  /** The object's key is wrapped under this key of the customer's, and under no other. */
  readonly customerKey: CustomerKey | undefined
  /** What of it is kept with the object. */
  readonly tlvs: readonly Tlv[]
  /** What reads will say; `undefined` if nobody asked for anything, or for SSE-C. */
  readonly told: ToldEncryption | undefined
  /** What the answer to the write says. */
  readonly headers: Readonly<Record<string, string>>
}

/** Codes of docs/format.md, "Sealed metadata", tag 11: the other modes are 1 to 3, in order. */
export const CUSTOMER_CODE = 4
export const encryptionCode = (mode: ToldEncryption['mode']): number => ENCRYPTION_MODES.indexOf(mode) + 1

/**
 * What a request to write into `bucket` asks for; where it asks for nothing, the bucket's default encryption, then the manager that the settings
 * name for the bucket, then the default one. Throws `InvalidArgument`,
 * `KMS.NotFoundException` for a key that no configured manager has, `AccessDenied` where the bucket blocks customers' keys.
 */
export async function encryptionOf(gateway: Gateway, bucket: string, headers: Headers): Promise<Encryption> {
  const request = parseEncryption(headers)
  const fallback = await bucketEncryption(gateway, bucket)
  const { customerKey } = request
  const { manager } = gateway.rules(bucket)
  if (customerKey !== undefined) {
    if (fallback?.blocksCustomerKeys === true) throw blocked()
    const tlvs = [sseTlv({ mode: CUSTOMER_CODE, keyId: '' })]
    return { manager, customerKey, tlvs, told: undefined, headers: customerKey.headers }
  }
  const told = wanted(request, fallback)
  if (told === undefined) {
    return { manager, customerKey, tlvs: [], told, headers: etagSign(gateway) }
  }
  return {
    manager: told.keyId === '' && request.keyId === undefined ? manager : managerOf(gateway, told.keyId),
    customerKey,
    tlvs: keptOf(told, request.context),
    told,
    headers: { ...encryptionHeaders(told), ...contextHeader(request.context) },
  }
}

function wanted(
  { mode, keyId, bucketKey }: EncryptionRequest,
  fallback: ToldEncryption | undefined,
): ToldEncryption | undefined {
  const chosen = mode === undefined ? fallback : { mode, keyId: keyId ?? '', bucketKey: fallback?.bucketKey ?? false }
  if (chosen === undefined) return undefined
  // Bucket keys are of SSE-KMS alone, not of its double form.
  const used = chosen.mode === 'aws:kms' && (bucketKey ?? chosen.bucketKey)
  return { mode: chosen.mode, keyId: chosen.keyId, bucketKey: used }
}

function keptOf({ mode, keyId, bucketKey }: ToldEncryption, context = ''): Tlv[] {
  const details: KmsDetails = { bucketKey, context }
  const detailed = isKms(mode) && (bucketKey || context !== '')
  return [sseTlv({ mode: encryptionCode(mode), keyId }), ...(detailed ? [kmsDetailsTlv(details)] : [])]
}

const blocked = (): S3Error =>
  new S3Error('AccessDenied', {
    message:
      'This bucket has blocked upload requests that specify Server Side Encryption with Customer provided keys (SSE-C). Please specify a different server-side encryption type',
  })

/** Throws `AccessDenied` if the bucket blocks new data under customers' keys. */
export async function requireCustomerKeysAllowed(gateway: Gateway, bucket: string): Promise<void> {
  if ((await bucketEncryption(gateway, bucket))?.blocksCustomerKeys === true) throw blocked()
}

/** What an answer says of an object that is there already, by its sealed metadata. */
export function toldOf(
  gateway: Gateway,
  tlvs: readonly Tlv[],
  customerKey: CustomerKey | undefined,
): Readonly<Record<string, string>> {
  if (customerKey !== undefined) return customerKey.headers
  const kept = sseOf(tlvs)
  const mode = kept === undefined ? undefined : ENCRYPTION_MODES[kept.mode - 1]
  if (kept === undefined || mode === undefined) return etagSign(gateway)
  return encryptionHeaders({ mode, keyId: kept.keyId, bucketKey: kmsDetailsOf(tlvs)?.bucketKey ?? false })
}
