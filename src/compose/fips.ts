/** The FIPS profile (docs/threat-model.md, "FIPS"): OpenSSL does what its FIPS provider has, or the gateway does not start. */
import { createCipheriv, createHash, createHmac, getFips, randomBytes, setFips } from 'node:crypto'
import { Invalid } from '../errors.ts'

/** Turns it on for this process, once. Throws `Invalid` where OpenSSL cannot; nothing is changed then. */
export function requireFips({ fips }: { readonly fips: boolean }): void {
  if (!fips) return
  const before = getFips() === 1
  try {
    setFips(true)
    prove()
  } catch (cause) {
    setFips(before)
    throw new Invalid(
      `fips is true, and the OpenSSL of this Node (${process.versions.openssl}) has no FIPS provider that works; install one and name it in OPENSSL_CONF and OPENSSL_MODULES, or set fips to false`,
      { cause },
    )
  }
}

/** What this process does by: for people. */
export const cryptographyOf = (): string =>
  `OpenSSL ${process.versions.openssl}, ${getFips() === 1 ? 'by its FIPS provider' : 'not in FIPS mode'}`

/** `setFips` does not fail where there is no provider: then nothing works any more. */
function prove(): void {
  createHash('sha512').update('proof').digest()
  createHmac('sha512', randomBytes(32)).update('proof').digest()
  createCipheriv('aes-256-gcm', randomBytes(32), randomBytes(12)).final()
  let refused = false
  try {
    createHash('md5')
  } catch {
    refused = true
  }
  if (getFips() !== 1 || !refused) throw new Error('what is not approved is not refused')
}
