/** Deliveries over HTTP, one at a time. */
import { Agent, request } from 'undici'
import { Unavailable } from '../../../errors.ts'

export interface HttpSinkOptions {
  readonly url: string
  /** Certificates of authorities, in PEM. */
  readonly ca?: string
  readonly timeout: number
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

/** More than any answer that is read. */
const MOST_ANSWER = 16 * 1024 * 1024

export class HttpSender {
  readonly #options: HttpSinkOptions
  readonly #agent: Agent
  readonly #headers: Readonly<Record<string, string>>

  constructor(options: HttpSinkOptions, headers: Readonly<Record<string, string>>) {
    const { ca, timeout } = options
    this.#options = options
    this.#agent = new Agent({
      connect: { timeout, ...(ca === undefined ? {} : { ca }) },
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connections: 1,
      maxResponseSize: MOST_ANSWER,
    })
    this.#headers = { ...headers, ...authorization(options) }
  }

  /** Throws `Unavailable` unless it is said that the delivery, or a part of it, was taken or refused for good. */
  async post(path: string, body: string): Promise<HttpAnswer> {
    const { url, timeout } = this.#options
    let answer: HttpAnswer
    try {
      const { statusCode, body: stream } = await request(`${url.replace(/\/$/, '')}${path}`, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: this.#headers,
        body,
        signal: AbortSignal.timeout(timeout),
      })
      answer = { status: statusCode, text: await stream.text() }
    } catch (cause) {
      throw new Unavailable(`${new URL(url).host} does not answer`, { cause: nameOf(cause) })
    }
    if (LATER(answer.status)) throw new Unavailable(`${new URL(url).host} answers with status ${answer.status}`)
    return answer
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }
}

/** What an operator can mend is asked for again, and so is what passes by itself; only what is wrong with the lines stays so. */
const LATER = (status: number): boolean =>
  status >= 500 || status < 200 || (status >= 300 && status !== 400 && status !== 413 && status !== 422)

/** Nothing of what was sent comes into the log. */
const nameOf = (cause: unknown): Error =>
  new Error(cause instanceof Error && 'code' in cause ? String(cause.code) : 'the connection failed')

function authorization({ username, password, token }: HttpSinkOptions): Record<string, string> {
  if (token !== undefined) return { authorization: `Bearer ${token}` }
  if (username === undefined) return {}
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` }
}
