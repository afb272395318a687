/** MD5, which S3 asks for in places: never a matter of security, and not to be had under the FIPS profile. */
import { createHash, getFips, type Hash } from 'node:crypto'
import { S3Error } from './errors.ts'

/** Throws `NotImplemented` under the FIPS profile. */
export function newMd5Hash(): Hash {
  requireMd5()
  return createHash('md5')
}

/** As `newMd5Hash` throws, where the hash itself comes later. */
export function requireMd5(): void {
  if (getFips() === 0) return
  throw new S3Error('NotImplemented', {
    message: 'MD5 is not available under the FIPS profile of this gateway. Send a checksum of another algorithm.',
  })
}
