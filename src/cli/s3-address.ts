import { Invalid } from '../errors.ts'

export interface S3Address {
  readonly bucket: string
  /** '' for the bucket itself. */
  readonly key: string
}

/** `s3://bucket/key`. Throws `Invalid` for anything else. */
export function parseS3Address(text: string): S3Address {
  const match = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(text)
  if (match?.[1] === undefined) throw new Invalid(`"${text}" is not an address; write s3://bucket/key`)
  return { bucket: match[1], key: match[2] ?? '' }
}

/** The same, where a key must be named. */
export function parseObjectAddress(text: string): S3Address {
  const address = parseS3Address(text)
  if (address.key === '') throw new Invalid(`"${text}" names no object; write s3://bucket/key`)
  return address
}
