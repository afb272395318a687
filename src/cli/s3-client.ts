/** The little S3 client behind `put`, `get`, `ls`, `rm`, `presign` and `doctor`: our own signer over undici. */
import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { Agent, request } from 'undici'
import { credentialsOf } from '../compose.ts'
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
  readonly caFile?: string
}

export interface Call {
  readonly method: string
  readonly address?: S3Address
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readable
}

const XML_BYTES = 64 * 1024 * 1024

export class S3Client {
  readonly endpoint: string
  readonly #credentials: SigningCredentials
  readonly #region: string
  readonly #agent: Agent

  constructor(settings: Settings, options: ClientOptions = {}) {
    const [first] = credentialsOf(settings)
    if (first === undefined) throw new Invalid('there is no credential in the settings to sign with')
    this.endpoint = (options.endpoint ?? endpointOf(settings)).replace(/\/$/, '')
    this.#credentials = { accessKey: first.accessKey, secret: first.secretKey }
    this.#region = settings.server.region ?? 'us-east-1'
    const ca = options.caFile === undefined ? undefined : readFileSync(options.caFile, 'utf8')
    this.#agent = new Agent({
      bodyTimeout: 0,
      headersTimeout: 600_000,
      ...(ca === undefined ? {} : { connect: { ca } }),
    })
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
    const answer = await request(url, { method, headers, body: body ?? null, dispatcher: this.#agent }).catch(
      (cause: unknown) => {
        throw new Unavailable(`no gateway answers at ${this.endpoint}; start one with \`sealgate serve\``, { cause })
      },
    )
    if (answer.statusCode >= 300) throw await refusal(answer.statusCode, Buffer.from(await answer.body.arrayBuffer()))
    const plain = Object.entries(answer.headers).map(([name, value]) => [name, String(value ?? '')])
    return { status: answer.statusCode, headers: Object.fromEntries(plain), body: answer.body }
  }

  /** Sends one request and reads the answer whole. */
  async read(call: Call): Promise<{ readonly headers: Answer['headers']; readonly bytes: Buffer }> {
    const { headers, body } = await this.send(call)
    const pieces: Buffer[] = []
    for await (const piece of body) pieces.push(Buffer.from(piece))
    return { headers, bytes: Buffer.concat(pieces) }
  }

  /** Sends one request and parses the XML document of its answer; an `<Error>` inside a 200 is an error too. */
  async document(call: Call): Promise<XmlElement> {
    const root = parseXml((await this.read(call)).bytes, XML_BYTES)
    if (root.name !== 'Error') return root
    throw new S3Refusal(200, childText(root, 'Code') ?? '', childText(root, 'Message') ?? '')
  }

  presign(method: string, address: S3Address, expiresSeconds: number): string {
    return presignUrl({
      method,
      url: this.#url({ method, address }),
      credentials: this.#credentials,
      region: this.#region,
      now: new Date(),
      expiresSeconds,
    })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #url({ address, query = {} }: Call): string {
    const path =
      address === undefined ? '/' : `/${address.bucket}${address.key === '' ? '' : `/${encodePath(address.key)}`}`
    const pairs = Object.entries(query).map(([name, value]) => `${encodeComponent(name)}=${encodeComponent(value)}`)
    return `${this.endpoint}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
  }
}

/** Where the gateway of these settings listens. */
export function endpointOf({ server }: Settings): string {
  const { host, port } = server.listen
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `${server.tls === undefined ? 'http' : 'https'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

async function refusal(status: number, bytes: Buffer): Promise<S3Refusal> {
  try {
    const root = parseXml(bytes, XML_BYTES)
    return new S3Refusal(status, childText(root, 'Code') ?? 'Error', childText(root, 'Message') ?? '')
  } catch {
    return new S3Refusal(status, status === 404 ? 'NotFound' : 'Error', 'no error document')
  }
}
