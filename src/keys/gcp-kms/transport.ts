/** How requests of Google's SDK travel, those of its logins too: to whom the settings trust, through the proxy of the environment, once, and in time. */
import { EnvHttpProxyAgent, fetch } from 'undici'

export interface TransportParts {
  /** Certificates (PEM) of the authorities to trust, in place of those of the system. */
  readonly ca: string | undefined
  /** Milliseconds for one request. */
  readonly timeout: number
}

/** What is read and written of a request that the SDK has made ready. */
interface Prepared {
  signal?: AbortSignal | null
  retry?: boolean
  retryConfig?: object
}

interface Sent extends Pick<RequestInit, 'method' | 'signal'> {
  readonly headers?: RequestInit['headers']
  readonly body?: unknown
}

export class Transport {
  readonly #agent: EnvHttpProxyAgent
  readonly #timeout: number

  constructor({ ca, timeout }: TransportParts) {
    const trust = ca === undefined ? {} : { ca }
    this.#agent = new EnvHttpProxyAgent({ connect: trust, requestTls: trust, proxyTls: trust })
    this.#timeout = timeout
  }

  /** Logins of the SDK would be tried again, and nothing of it ends when its time is over. */
  once<T extends Prepared>(request: T): T {
    delete request.retryConfig
    request.retry = false
    const signals = [AbortSignal.timeout(this.#timeout), ...(request.signal ? [request.signal] : [])]
    request.signal = AbortSignal.any(signals)
    return request
  }

  /** The SDK's own way uses an agent that knows neither authorities nor proxies. */
  readonly fetch = async (url: string | URL | Request, { method = 'GET', headers = {}, body, signal }: Sent = {}) => {
    try {
      return await fetch(url instanceof Request ? url.url : url, {
        method,
        headers: [...new Headers(headers)],
        body: typeof body === 'string' || body instanceof Uint8Array || body instanceof URLSearchParams ? body : null,
        signal: signal ?? null,
        dispatcher: this.#agent,
      })
    } catch (error) {
      // "fetch failed", and why beneath it.
      throw error instanceof TypeError && error.cause instanceof Error ? error.cause : error
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}
