/** The URL of an object as the client reaches it, for answers that name one. */
import { encodePath } from '../s3/auth/canonical-request.ts'

export interface Reached {
  readonly host: string
  readonly style: 'path' | 'virtual'
  readonly bucket: string
  /** The listener speaks TLS. */
  readonly secure: boolean
}

/**
 * Below the public URL whose host the client has used; where it is none of them, something in between has put its own
 * there, and the first counts. Without public URLs: the Host that came.
 */
export function objectUrl(
  publicUrls: readonly string[],
  { host, style, bucket, secure }: Reached,
  key: string,
): string {
  const name = host.toLowerCase()
  const used = publicUrls.find(
    (url) => name === hostOf(url) || (style === 'virtual' && name === `${bucket}.${hostOf(url)}`),
  )
  const [first] = publicUrls
  const encoded = encodePath(key)
  if (used === undefined && first !== undefined) return `${first}/${bucket}/${encoded}`
  const scheme = used === undefined ? (secure ? 'https' : 'http') : used.slice(0, used.indexOf(':'))
  return `${scheme}://${host}/${style === 'virtual' ? '' : `${bucket}/`}${encoded}`
}

const hostOf = (url: string): string => url.slice(url.indexOf('//') + 2)
