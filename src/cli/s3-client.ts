/** The little S3 client behind `put`, `get`, `ls`, `rm`, `presign` and `doctor`: our own signer over undici. */
import { Readable } from 'node:stream'
import { Agent, request } from 'undici'
import type { CredentialEntry } from '../access/credentials.ts'
import { credentialsOf } from '../compose/live.ts'
import { withoutUserinfo } from '../config/problems.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid, Unavailable } from '../errors.ts'
import { EMPTY_SHA256, encodeComponent, encodePath, UNSIGNED_PAYLOAD } from '../s3/auth/canonical-request.ts'
import { presignUrl, type SigningCredentials, signRequest } from '../s3/auth/sign.ts'
import { childText, parseXml, type XmlElement } from '../s3/xml.ts'
import type { S3Address } from './s3-address.ts'

/** The gateway refused a request: the S3 code and its message. */
export class S3Refusal extends Error {
  override readonly name = 'S3Refusal'
  readonly code: string
  readonly status: number

  constructor(status: number, code: string, message: string) {
    super(`the gateway answered ${status} ${code}: ${message}`)
    this.status = status
    this.code = code
  }
}

export interface ClientOptions {
  readonly endpoint?: string
  /** A CA certificate in PEM, for a listener whose certificate no public CA signed. */
  readonly ca?: string
  /** Aborts every request except those that clean up. */
  readonly signal?: AbortSignal
}

/** Bytes at hand, or so many of them as they come. */
export type RequestBody = Buffer | { readonly length: number; readonly pieces: AsyncIterable<Buffer> }

export interface Call {
  readonly method: string
  readonly address?: S3Address
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestBody
  /** It takes back what an aborted command did, and is sent all the same. */
  readonly cleanup?: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readable
}

const XML_BYTES = 64 * 1024 * 1024
const ANSWER_MILLISECONDS = 600_000
const CLEANUP_MILLISECONDS = 10_000

export class S3Client {
  readonly endpoint: string
  readonly #credentials: SigningCredentials
  readonly #region: string
  readonly #agent: Agent
  readonly #signal: AbortSignal | undefined

  /** Throws `Invalid` if there is no credential, or the endpoint is not an address. */
  constructor(settings: Settings, { endpoint, ca, signal }: ClientOptions = {}) {
    this.endpoint = checkEndpoint(endpoint ?? endpointOf(settings))
    this.#credentials = credentialOf(settings)
    this.#region = settings.server.region ?? 'us-east-1'
    this.#agent = new Agent({ bodyTimeout: 0, ...(ca === undefined ? {} : { connect: { ca } }) })
    this.#signal = signal
  }

  /** Sends one request. Throws `S3Refusal` for an error of the gateway and `Unavailable` if nobody answers. */
  async send(call: Call): Promise<Answer> {
    const url = this.#url(call)
    const { method, body } = call
    const headers = signRequest({
      method,
      url,
      headers: { ...call.headers, ...(body === undefined ? {} : { 'content-length': String(body.length) }) },
      credentials: this.#credentials,
      region: this.#region,
      now: new Date(),
      payloadHash: body === undefined ? EMPTY_SHA256 : UNSIGNED_PAYLOAD,
    })
    const stop = call.cleanup === true ? undefined : this.#signal
    const answer = await request(url, {
      method,
      headers,
      body: body === undefined || Buffer.isBuffer(body) ? (body ?? null) : Readable.from(body.pieces),
      dispatcher: this.#agent,
      headersTimeout: call.cleanup === true ? CLEANUP_MILLISECONDS : ANSWER_MILLISECONDS,
      ...(stop === undefined ? {} : { signal: stop }),
    }).catch((cause: unknown) => {
      throw unanswered(this.endpoint, cause)
    })
    if (answer.statusCode >= 300) throw await refusal(answer.statusCode, Buffer.from(await answer.body.arrayBuffer()))
    const plain = Object.entries(answer.headers).map(([name, value]) => [name, String(value ?? '')])
    return { status: answer.statusCode, headers: Object.fromEntries(plain), body: answer.body }
  }

  /** Sends one request and reads the answer whole. */
  async read(call: Call): Promise<{ readonly headers: Answer['headers']; readonly bytes: Buffer }> {
    const { headers, body } = await this.send(call)
    const pieces: Buffer[] = []
    try {
      for await (const piece of body) pieces.push(Buffer.from(piece))
    } catch (cause) {
      throw new Unavailable(`the answer of ${this.endpoint} broke off; the log of the gateway says why`, { cause })
    }
    return { headers, bytes: Buffer.concat(pieces) }
  }

  /** Sends one request and parses the XML document of its answer; an `<Error>` inside a 200 is an error too. */
  async document(call: Call): Promise<XmlElement> {
    const root = parseXml((await this.read(call)).bytes, XML_BYTES)
    if (root.name !== 'Error') return root
    throw new S3Refusal(200, childText(root, 'Code') ?? '', childText(root, 'Message') ?? '')
  }

  /** A URL for `base`, scheme, host and port, in place of the endpoint. */
  presign(method: string, address: S3Address, expiresSeconds: number, base = this.endpoint): string {
    return presignUrl({
      method,
      url: this.#url({ method, address }, base),
      credentials: this.#credentials,
      region: this.#region,
      now: new Date(),
      expiresSeconds,
    })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #url({ address, query = {} }: Call, base = this.endpoint): string {
    const path =
      address === undefined ? '/' : `/${address.bucket}${address.key === '' ? '' : `/${encodePath(address.key)}`}`
    const pairs = Object.entries(query).map(([name, value]) => `${encodeComponent(name)}=${encodeComponent(value)}`)
    return `${base}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
  }
}

/** Where the gateway of these settings listens. */
export function endpointOf({ server }: Settings): string {
  const { host, port } = server.listen
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `${server.tls === undefined ? 'http' : 'https'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

function checkEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === ''
  if (!plain)
    throw new Invalid(`"${withoutUserinfo(text)}" is not an endpoint; write for example http://127.0.0.1:8080`)
  return url.origin
}

/** The first credential that may do everything, else the first. */
function credentialOf(settings: Settings): SigningCredentials {
  const all = credentialsOf(settings)
  const mayAll = ({ allow }: CredentialEntry): boolean =>
    allow.some((one) => one.actions === 'read-write' && one.buckets.includes('*') && one.prefixes.length === 0)
  const chosen = all.find(mayAll) ?? all[0]
  if (chosen === undefined) throw new Invalid('there is no credential in the settings to sign with')
  return { accessKey: chosen.accessKey, secret: chosen.secretKey }
}

const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/
const UNREACHED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EADDRNOTAVAIL|E(HOST|NET)UNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/

/** Why a request got no answer, and what to do. */
function unanswered(endpoint: string, cause: unknown): Error {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (UNTRUSTED.test(code)) {
    return new Invalid(`the certificate of ${endpoint} is not trusted; name its CA with --ca-file`, { cause })
  }
  if (UNREACHED.test(code)) {
    return new Unavailable(`no gateway answers at ${endpoint}; start one with \`sealgate serve\``, { cause })
  }
  return new Unavailable(`the request to ${endpoint} broke off; the log of the gateway says why`, { cause })
}

async function refusal(status: number, bytes: Buffer): Promise<S3Refusal> {
  try {
    const root = parseXml(bytes, XML_BYTES)
    return new S3Refusal(status, childText(root, 'Code') ?? 'Error', childText(root, 'Message') ?? '')
  } catch {
    return new S3Refusal(status, status === 404 ? 'NotFound' : 'Error', 'no error document')
  }
}
