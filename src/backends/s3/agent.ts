/** A pool of connections to a store, straight or through a proxy. */
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici'
import { guardedConnect } from './guarded-connect.ts'

export interface TransportOptions {
  /** This many for answers that are handed on, and as many for everything else. */
  readonly connections: number
  /** Milliseconds. */
  readonly connectTimeout: number
  /** Milliseconds of silence, before an answer begins and within it. */
  readonly idleTimeout: number
  readonly tls: {
    readonly ca?: string
    readonly cert?: string
    readonly key?: string
    readonly insecure: boolean
  }
  readonly proxy?: string
}

/** Stores close connections after some idle seconds; a request that is already on its way when they do fails for nothing. */
const KEEP_ALIVE_MILLISECONDS = 4_000

/** Opens nothing yet: the first request does. Each origin has a pool of its own. */
export function openAgent({ connections, connectTimeout, idleTimeout, tls, proxy }: TransportOptions): Dispatcher {
  const { ca, cert, key, insecure } = tls
  const trust = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(insecure ? { rejectUnauthorized: false } : {}),
  }
  const options = {
    connections,
    headersTimeout: idleTimeout,
    bodyTimeout: idleTimeout,
    keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
    // A length that is not met must fail the request and never shorten it.
    strictContentLength: true,
    factory: (origin: string | URL, more: Pool.Options) =>
      new Pool(origin, { ...more, connect: guardedConnect(more.connect) }),
  }
  if (proxy === undefined) return new Agent({ ...options, connect: { ...trust, timeout: connectTimeout } })
  return new ProxyAgent({
    ...options,
    uri: proxy,
    requestTls: { ...trust, timeout: connectTimeout },
    proxyTls: { ...(ca === undefined ? {} : { ca }), timeout: connectTimeout },
    // Of the requests for a tunnel: else a silent proxy would hold us for minutes.
    clientFactory: (origin, more) => new Pool(origin, { ...more, headersTimeout: connectTimeout }),
  })
}
