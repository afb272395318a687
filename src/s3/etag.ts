/** Entity tags on the wire and inside: the gateway carries them without quotes and quotes them once, at the edge. */

/** The quoted form for headers and XML. */
export const quoteEtag = (etag: string): string => `"${etag}"`

/**
 * The bare tag of what a client sent: quoted, unquoted or with `&quot;` written out (S3 accepts all three, B48 and B73).
 * A weak mark `W/` is dropped, since caches and proxies add it and S3 compares weakly.
 */
export const unquoteEtag = (text: string): string => {
  const bare = text.trim().replace(/^W\//, '').replaceAll('&quot;', '"')
  return bare.length >= 2 && bare.startsWith('"') && bare.endsWith('"') ? bare.slice(1, -1) : bare
}
