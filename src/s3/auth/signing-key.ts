/** Signing keys and signatures of Signature Version 4 ("Task 3"). */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** Keys kept at most; one is used for a day by everyone with that secret, region and service. */
export const CACHED_SIGNING_KEYS = 1024

const cache = new Map<string, Buffer>()

/** The key of a secret for one day (`YYYYMMDD`), region and service. Derived once, then kept; the oldest give way. */
export function signingKey(secret: string, date: string, region: string, service: string): Buffer {
  // The secret is part of the name, so a changed secret never meets the key of its predecessor.
  const name = `${date}/${region}/${service}/${secret}`
  const known = cache.get(name)
  if (known !== undefined) return known
  const key = [date, region, service, 'aws4_request'].reduce(mac, Buffer.from(`AWS4${secret}`))
  if (cache.size >= CACHED_SIGNING_KEYS) {
    const oldest = cache.keys().next()
    if (oldest.done !== true) cache.delete(oldest.value)
  }
  cache.set(name, key)
  return key
}

/** Number of keys kept at the moment. */
export const cachedSigningKeys = (): number => cache.size

/** The signature of a string to sign in 64 lower-case hex digits. */
export function signatureOf(key: Buffer, text: string): string {
  return createHmac('sha256', key).update(text, 'latin1').digest('hex')
}

/** Compares two signatures without telling by the time taken where they differ. */
export function sameSignature(computed: string, provided: string): boolean {
  const a = Buffer.from(computed)
  const b = Buffer.from(provided)
  return a.length === b.length && timingSafeEqual(a, b)
}

const mac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text, 'latin1').digest()
