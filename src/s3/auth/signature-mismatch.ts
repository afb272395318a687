/** The answer to a signature that is not ours: everything the client needs to find the difference (S3 API reference, "SignatureDoesNotMatch"). */
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
    const canonical = Buffer.from(mismatch.canonicalRequest, 'latin1')
    extra['CanonicalRequest'] = canonical.toString('utf8')
    extra['CanonicalRequestBytes'] = spacedHex(canonical)
  }
  return new S3Error('SignatureDoesNotMatch', { extra })
}

const spacedHex = (bytes: Buffer): string => bytes.toString('hex').replaceAll(/..(?!$)/g, '$& ')
