/** Server-side encryption of an upload: fixed when it is created, told in every answer, and a customer's key asked for with each part. */
import { openCustomerKey, parseEnvelope } from '../../format/envelope.ts'
import { type CustomerKey, ENCRYPTION_MODES, encryptionHeaders, parseCustomerKey } from '../../s3/encryption-headers.ts'
import { S3Error } from '../../s3/errors.ts'
import type { RecordedEncryption } from '../../state/upload-records.ts'
import { CUSTOMER_CODE, type Encryption, encryptionCode, requireCustomerKeysAllowed } from '../encryption.ts'
import { etagSign } from '../etag.ts'
import type { Gateway, OperationRequest } from '../gateway.ts'
import type { OpenUpload } from './upload-of.ts'

/** As the records of an upload keep it. */
export function recorded({ told, customerKey }: Encryption): RecordedEncryption | undefined {
  if (customerKey !== undefined) return { mode: CUSTOMER_CODE, keyId: '', bucketKey: false }
  return told === undefined ? undefined : { ...told, mode: encryptionCode(told.mode) }
}

/** What an answer says of an upload's encryption. Of a customer's key it says something only to whoever brings it. */
export function toldOfRecord(
  gateway: Gateway,
  encryption: RecordedEncryption | undefined,
): Readonly<Record<string, string>> {
  if (encryption === undefined) return etagSign(gateway)
  const mode = ENCRYPTION_MODES[encryption.mode - 1]
  return mode === undefined ? {} : encryptionHeaders({ ...encryption, mode })
}

/** Checks the key that comes with a part and returns what its answer says. Throws `InvalidRequest`, `AccessDenied`. */
export async function encryptionOfPart(
  gateway: Gateway,
  request: OperationRequest,
  { record }: OpenUpload,
): Promise<Readonly<Record<string, string>>> {
  const customerKey = parseCustomerKey(request.headers)
  if (customerKey !== undefined) await requireCustomerKeysAllowed(gateway, request.bucket)
  checkUploadKey(record.envelope, customerKey)
  return customerKey?.headers ?? toldOfRecord(gateway, record.encryption)
}

/** For requests that need no key: one that comes nevertheless must be the upload's. */
export function checkOptionalKey(request: OperationRequest, { record }: OpenUpload): void {
  const customerKey = parseCustomerKey(request.headers)
  if (customerKey !== undefined) checkUploadKey(record.envelope, customerKey)
}

/** The customer's key must be the one of the upload's envelope, whose kid tells it in constant time. */
function checkUploadKey(raw: Buffer, customerKey: CustomerKey | undefined): void {
  const envelope = parseEnvelope(raw)
  if ((envelope.tag === 'c') !== (customerKey !== undefined)) {
    throw new S3Error('InvalidRequest', {
      message:
        'The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.',
    })
  }
  if (customerKey === undefined || openCustomerKey(envelope, customerKey.bytes) !== undefined) return
  throw new S3Error('InvalidRequest', {
    message: 'The provided encryption parameters did not match the ones used originally.',
  })
}
