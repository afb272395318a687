/** What every answer must be, whatever was asked. */
import { S3_ERRORS } from '../../../src/s3/errors.ts'
import { requireXml } from '../target.ts'

export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** The first answer on a connection, `100 Continue` aside; `undefined` while it is not whole. */
export function readAnswer(bytes: Buffer, method: string): Answer | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1])
  if (status === 100) return readAnswer(bytes.subarray(end + 4), method)
  const headers = new Map(
    lines.map((text) => [text.slice(0, text.indexOf(':')).toLowerCase(), text.slice(text.indexOf(':') + 2)]),
  )
  const bare = method === 'HEAD' || status === 204 || status === 304
  const length = bare ? 0 : Number(headers.get('content-length'))
  const body = bytes.subarray(end + 4)
  if (Number.isNaN(length)) throw new Error(`an answer without a length: ${line}`)
  return body.length < length ? undefined : { status, headers, body: body.subarray(0, length) }
}

/** Throws if the answer is not one that S3 gives: a known code for every refusal, a document that can be read, no fault of ours. */
export function requireAnswer(answer: Answer, method: string): void {
  const { status, headers, body } = answer
  if (!(status >= 200 && status < 600)) throw new Error(`status ${status}`)
  const id = headers.get('x-amz-request-id')
  if (id === undefined || id === '') throw new Error('an answer without an id')
  const isXml = headers.get('content-type') === 'application/xml' && body.length > 0
  if (status < 400) {
    // With an ETag it is an object, and the type is its client's word.
    if (isXml && !headers.has('etag')) requireListing(body.toString())
    return
  }
  if (status >= 500 && status !== 501) throw new Error(`${status}: ${body.toString()}`)
  if (method === 'HEAD') return
  if (!isXml) throw new Error(`a refusal without a document: ${status}`)
  const text = body.toString()
  requireXml(text)
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? ''
  if (!Object.hasOwn(S3_ERRORS, code)) throw new Error(`no code of S3: ${text}`)
  if (!text.includes(`<RequestId>${id}</RequestId>`)) throw new Error(`another id in the document: ${text}`)
}

/** Names may hold what XML has no reference for; `encoding-type=url` is the way around it (S3 behaviour 20). */
function requireListing(text: string): void {
  requireXml(text.replaceAll(/&#x(?:[0-8BCEF]|1[0-9A-F]|FFF[EF]);/g, '?'))
}
