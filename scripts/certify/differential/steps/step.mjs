/** One request of the list. */
import { createHash } from 'node:crypto'

/**
 * `request` is method, path and query as they go over the wire. Further fields: `headers` (signed), `unsigned` (added after signing),
 * `drop` (taken out then), `body`, `save` (`{ name: pattern or header }`, used as `{name}` later), `payload` (x-amz-content-sha256),
 * `sign` (`'none'`, `'presigned'`), `auth` (what the signature is made with), `chunked` (aws-chunked framing), `length`.
 */
export const step = (name, request, more = {}) => ({ name, request, ...more })

/** Steps that differ in one word. */
export const each = (words, make) => words.map((word) => make(word))

/** The same bytes in every run, none like its neighbour. */
export const bytes = (length) => () => Buffer.alloc(length, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))

export const md5 = (text) => createHash('md5').update(text).digest('base64')

export const XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

/** A document, with its digest. */
export const config = (name, request, body) => step(name, request, { body, headers: { 'content-md5': md5(body) } })

export const versioning = (status) => `<VersioningConfiguration><Status>${status}</Status></VersioningConfiguration>`
