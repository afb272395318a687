/** Signature Version 4 by hand: every part of a request can be wrong on purpose. */
import { createHash, createHmac } from 'node:crypto'

export const sha256 = (data) => createHash('sha256').update(data).digest('hex')
const hmac = (key, text) => createHmac('sha256', key).update(text).digest()

/** Bytes that SigV4 leaves as they are; the rest becomes `%XX`. */
export const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** As it is where it cannot be decoded: no server should get as far as the signature. */
function canonicalPath(path) {
  try {
    return encode(decodeURIComponent(path)).replaceAll('%2F', '/')
  } catch {
    return path
  }
}

const canonicalQuery = (query) =>
  query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name, value = ''] = pair.split(/=(.*)/s)
      return [name, value].map((text) => encode(decodeURIComponent(text.replaceAll('+', ' '))))
    })
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : 1))
    .map((pair) => pair.join('='))
    .join('&')

/** `YYYYMMDDTHHMMSSZ`, so many seconds from now. */
export const amzDate = (offset = 0) =>
  new Date(Date.now() + offset * 1000).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')

/** A key for one day, and what it signs. */
export function signer({ secretKey, region = 'us-east-1', service = 's3', date }) {
  const day = date.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const key = [day, region, service, 'aws4_request'].reduce(hmac, `AWS4${secretKey}`)
  return { scope, sign: (text) => createHmac('sha256', key).update(text).digest('hex') }
}

function signatureOf({ method, path, query, headers, names, payload, date, by }) {
  const lines = names
    .map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replaceAll(/ +/g, ' ')}\n`,
    )
    .join('')
  const canonical = [method, canonicalPath(path), canonicalQuery(query), lines, names.join(';'), payload].join('\n')
  return by.sign(['AWS4-HMAC-SHA256', date, by.scope, sha256(canonical)].join('\n'))
}

/** The headers of a signed request, and the signature with which a chain of chunks begins. */
export function signHeaders({ method, path, query, headers, payload, keys, auth = {} }) {
  const date = amzDate(auth.offset)
  const by = signer({ ...keys, ...auth, date })
  const all = { ...headers, 'x-amz-date': date, 'x-amz-content-sha256': payload }
  const names = Object.keys(all)
    .filter((name) => name === 'host' || name === 'content-type' || name === 'content-md5' || name.startsWith('x-amz-'))
    .sort()
  const signature = signatureOf({ method, path, query, headers: all, names, payload, date, by })
  const accessKey = auth.accessKey ?? keys.accessKey
  all.authorization = `AWS4-HMAC-SHA256 Credential=${accessKey}/${by.scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { headers: all, signature, date, by }
}

/** The query of a presigned URL. */
export function presign({ method, path, query, headers, keys, auth = {} }) {
  const date = amzDate(auth.offset)
  const by = signer({ ...keys, ...auth, date })
  const names = Object.keys(headers)
    .filter((name) => name === 'host' || name.startsWith('x-amz-'))
    .sort()
  const accessKey = auth.accessKey ?? keys.accessKey
  const added = [
    ['X-Amz-Algorithm', auth.algorithm ?? 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${accessKey}/${by.scope}`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', String(auth.expires ?? 600)],
    ['X-Amz-SignedHeaders', names.join(';')],
  ]
    .filter(([name]) => !auth.omit?.includes(name))
    .map(([name, value]) => `${name}=${encode(value)}`)
  const whole = [query, ...added].filter((part) => part !== '').join('&')
  const signature = signatureOf({ method, path, query: whole, headers, names, payload: 'UNSIGNED-PAYLOAD', date, by })
  return `${whole}&X-Amz-Signature=${auth.signature ?? signature}`
}
