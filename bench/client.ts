/** A load client that costs little: signed with UNSIGNED-PAYLOAD, bodies from one buffer, answers thrown away. */
import { Agent, type IncomingMessage, request } from 'node:http'
import { readFileSync } from 'node:fs'
import { parseCredentialsFile } from '../src/access/credentials.ts'
import { UNSIGNED_PAYLOAD } from '../src/s3/auth/canonical-request.ts'
import { signRequest } from '../src/s3/auth/sign.ts'

const PIECE = Buffer.alloc(256 * 1024, 0x5a)

export interface Exchange {
  readonly status: number
  readonly bytes: number
  /** Milliseconds to the first byte of the body. */
  readonly firstByte: number
  readonly milliseconds: number
}

export class BenchClient {
  readonly #endpoint: string
  readonly #credentials: { accessKey: string; secret: string } | undefined
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 })

  /** `credentials` are those, or the file that holds them; without them requests are not signed. */
  constructor(endpoint: string, credentials?: string | { readonly accessKey: string; readonly secret: string }) {
    this.#endpoint = endpoint
    if (typeof credentials !== 'string') {
      this.#credentials = credentials
      return
    }
    const { accessKey, secretKey } = parseCredentialsFile(readFileSync(credentials, 'utf8'))
    this.#credentials = { accessKey, secret: secretKey }
  }

  put(path: string, bytes: number): Promise<Exchange> {
    return this.#send('PUT', path, {}, bytes)
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Exchange> {
    return this.#send('GET', path, headers, 0)
  }

  /** The answer as text. */
  text(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const url = `${this.#endpoint}${path}`
      const read = (res: IncomingMessage): void => {
        let text = ''
        res.setEncoding('utf8').on('data', (piece: string) => (text += piece))
        res.on('end', () => resolve(text)).on('error', reject)
      }
      request(url, { headers: this.#headers('GET', url, {}), agent: this.#agent }, read)
        .on('error', reject)
        .end()
    })
  }

  head(path: string): Promise<Exchange> {
    return this.#send('HEAD', path, {}, 0)
  }

  /** A copy onto itself with other metadata, by the store alone. */
  copyOntoItself(path: string): Promise<Exchange> {
    const headers = { 'x-amz-copy-source': path, 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-round': '2' }
    return this.#send('PUT', path, headers, 0)
  }

  close(): void {
    this.#agent.destroy()
  }

  #headers(method: string, url: string, headers: Readonly<Record<string, string>>): Record<string, string> {
    const credentials = this.#credentials
    if (credentials === undefined) return { ...headers }
    const payloadHash = UNSIGNED_PAYLOAD
    return signRequest({ method, url, headers, credentials, region: 'us-east-1', now: new Date(), payloadHash })
  }

  #send(method: string, path: string, extra: Readonly<Record<string, string>>, bytes: number): Promise<Exchange> {
    const url = `${this.#endpoint}${path}`
    const headers = this.#headers(method, url, { ...extra, 'content-length': String(bytes) })
    const started = performance.now()
    return new Promise((resolve, reject) => {
      const req = request(
        url,
        { method, headers, agent: this.#agent },
        (res) => void drain(res, started).then(resolve, reject),
      )
      req.on('error', reject)
      pour(req, bytes)
    })
  }
}

function pour(req: ReturnType<typeof request>, bytes: number): void {
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE
      left -= piece.length
      if (!req.write(piece)) {
        req.once('drain', more)
        return
      }
    }
    req.end()
  }
  more()
}

function drain(res: IncomingMessage, started: number): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    let bytes = 0
    let firstByte = Number.NaN
    res.on('data', (piece: Buffer) => {
      if (bytes === 0) firstByte = performance.now() - started
      bytes += piece.length
    })
    res.on('end', () =>
      resolve({ status: res.statusCode ?? 0, bytes, firstByte, milliseconds: performance.now() - started }),
    )
    res.on('error', reject)
  })
}
