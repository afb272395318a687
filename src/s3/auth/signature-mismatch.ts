/** The answer to a signature that is not ours: everything the client needs to find the difference (S3 API reference, "SignatureDoesNotMatch"). */
import { isCustomerSecret } from '../encryption-headers.ts'
import { S3Error } from '../errors.ts'

export interface Mismatch {
  readonly accessKey: string
  readonly signature: string
  readonly stringToSign: string
  readonly canonicalRequest?: string
}

export function signatureMismatch(mismatch: Mismatch): S3Error {
  const signed = Buffer.from(mismatch.stringToSign, 'latin1')
  const extra: Record<string, string> = {
    AWSAccessKeyId: mismatch.accessKey,
    StringToSign: signed.toString('utf8'),
    SignatureProvided: mismatch.signature,
    StringToSignBytes: spacedHex(signed),
  }
  if (mismatch.canonicalRequest !== undefined) {
    const canonical = Buffer.from(withoutCustomerSecrets(mismatch.canonicalRequest), 'latin1')
    extra['CanonicalRequest'] = canonical.toString('utf8')
    extra['CanonicalRequestBytes'] = spacedHex(canonical)
  }
  return new S3Error('SignatureDoesNotMatch', { extra })
}

/** Error documents are logged by clients: a customer's key (SSE-C) and its digest are left out of what was signed. */
const withoutCustomerSecrets = (canonical: string): string =>
  canonical
    .split('\n')
    .map((line) => {
      const name = line.slice(0, line.indexOf(':'))
      return isCustomerSecret(name) ? `${name}:(left out)` : line
    })
    .join('\n')

const spacedHex = (bytes: Buffer): string => bytes.toString('hex').replaceAll(/..(?!$)/g, '$& ')
