/** The admin listener: liveness, readiness and metrics, and the admin API. On loopback by default; it tells which dependency fails, never why in detail. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, Server as SecureServer } from 'node:https'
import { type FastifyInstance, fastify } from 'fastify'
import type { AdminAccess } from '../access/admin-access.ts'
import { FailureLimit } from '../access/failure-limit.ts'
import type { AnswerAdmin } from '../admin/call.ts'
import { AdminGate } from './admin-gate.ts'
import { adminRoutes } from './admin-routes.ts'
import { addStatusPage } from './status-page.ts'

/** Something the gateway needs in order to serve. */
export interface Dependency {
  readonly name: string
  /** Throws if it cannot serve now. */
  readonly check: () => Promise<void>
  /** Whether the gateway can do without it for now, after `check` has failed with `error`. Absent: it cannot. */
  readonly spare?: (error: unknown) => Promise<boolean>
}

/** `degraded`: it fails, and the gateway serves without it for now. */
export type Condition = 'ok' | 'degraded' | 'failing'

/** A dependency and how it fares. */
export interface Found {
  readonly name: string
  readonly status: Condition
}

/** Configurations that are kept and that nothing acts on yet. */
export interface WaitingCount {
  readonly configuration: string
  readonly buckets: number
  /** There are more buckets than were counted. */
  readonly more: boolean
}

export interface AdminParts {
  readonly dependencies: readonly Dependency[]
  /** How dependencies of other processes fare, for the answer: whether they are a reason not to be ready these know themselves. */
  readonly elsewhere?: () => Promise<readonly Found[]>
  /** Never a reason not to be ready. */
  readonly waiting: () => Promise<readonly WaitingCount[]>
  /** True from the moment shutdown begins: load balancers send nothing new. */
  readonly draining: () => boolean
  readonly report: (dependency: string, error: unknown) => void
  readonly metrics: { readonly contentType: string; readonly text: () => Promise<string> }
  /** Without it there is no `/v1`. */
  readonly api?: AdminApiParts
}

export interface AdminApiParts {
  readonly access: AdminAccess
  readonly answer: AnswerAdmin
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

export interface AdminTlsOptions {
  readonly cert: string
  readonly key: string
  /** Authorities whose client certificates let in to the admin API; nothing else asks for one. */
  readonly clientCa?: string
  /** OpenSSL's options: those of the context, which no session may outlive. */
  readonly secureOptions: number
}

const CHECK_MILLISECONDS = 5_000
/** By then everything has been looked at. */
const SPARE_MILLISECONDS = 500

/**
 * `GET /healthz` is 200 while the process lives; `GET /readyz` is 200 if every dependency answers or can be spared, else 503, with one line for
 * each, and, as a detail, how many buckets have configurations that nothing acts on yet; `GET /metrics` is Prometheus' text format.
 */
export function createAdminServer(parts: AdminParts, tls?: AdminTlsOptions): FastifyInstance {
  const app = fastify({ logger: false, serverFactory: (handler) => createServer(handler, tls) })
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const asked = waitingOf(parts)
    const others = inTime(parts.elsewhere?.() ?? Promise.resolve([])).catch(() => [])
    const results = await Promise.all(parts.dependencies.map((one) => check(one, parts)))
    const [elsewhere, waiting] = await Promise.all([others, asked])
    const ready = !parts.draining() && results.every((result) => result.status !== 'failing')
    reply.code(ready ? 200 : 503)
    const status = parts.draining() ? 'draining' : ready ? 'ok' : 'failing'
    return { status, dependencies: [...results, ...elsewhere], ...(waiting.length === 0 ? {} : { waiting }) }
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type(parts.metrics.contentType)
    return parts.metrics.text()
  })
  if (parts.api !== undefined) {
    addApi(app, parts.api, tls)
    addStatusPage(app)
  }
  return app
}

interface Changing {
  readonly gate: AdminGate
  tls: AdminTlsOptions | undefined
}

const CHANGING = new WeakMap<FastifyInstance, Changing>()

function addApi(app: FastifyInstance, { access, answer, clock }: AdminApiParts, tls?: AdminTlsOptions): void {
  const certificates = tls?.clientCa !== undefined
  const gate = new AdminGate({ access, certificates, limit: new FailureLimit(clock), pages: new FailureLimit(clock) })
  CHANGING.set(app, { gate, tls })
  app.server.on('connection', (socket) => gate.connected(socket))
  app.register(async (inner) => adminRoutes(inner, gate, answer), { prefix: '/v1' })
}

/** Exchanges who may use the admin API, and the certificates. Whether it speaks TLS, and asks for client certificates, stays as it is. */
export function changeAdminServer(app: FastifyInstance, access: AdminAccess, tls?: AdminTlsOptions): void {
  const changing = CHANGING.get(app)
  if (changing === undefined) return
  changing.gate.replace(access)
  if (tls === undefined || !(app.server instanceof SecureServer)) return
  if (JSON.stringify(tls) === JSON.stringify(changing.tls)) return
  changing.tls = tls
  app.server.setSecureContext(contextOf(tls))
  changing.gate.forgetConnections()
  app.server.closeIdleConnections()
}

/** A client has so long to send a request. */
const REQUEST_MILLISECONDS = 30_000
const KEEP_ALIVE_MILLISECONDS = 72_000
const MAX_CONNECTIONS = 512

function createServer(handler: (raw: IncomingMessage, res: ServerResponse) => void, tls?: AdminTlsOptions): Server {
  const limits = {
    requestTimeout: REQUEST_MILLISECONDS,
    headersTimeout: REQUEST_MILLISECONDS,
    keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
  }
  const server =
    tls === undefined
      ? createHttpServer(limits, handler)
      : createHttpsServer(
          // Probes and scrapers come without a certificate: the API alone asks what became of it.
          { ...limits, ...contextOf(tls), requestCert: tls.clientCa !== undefined, rejectUnauthorized: false },
          handler,
        )
  server.maxConnections = MAX_CONNECTIONS
  return server
}

function contextOf({ cert, key, clientCa, secureOptions }: AdminTlsOptions) {
  return {
    cert,
    key,
    secureOptions,
    minVersion: 'TLSv1.2',
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  } as const
}

/** Nothing is said of them while they cannot be counted: the dependency that fails is named anyway. Nor are names of buckets. */
async function waitingOf({ waiting }: AdminParts): Promise<readonly WaitingCount[]> {
  const found = await inTime(waiting()).catch(() => [])
  return found.map(({ configuration, buckets, more }) => ({ configuration, buckets, more }))
}

async function check(one: Dependency, { report }: AdminParts): Promise<Found> {
  return { name: one.name, status: await conditionOf(one, (error) => report(one.name, error)) }
}

/** How a dependency fares. `report` is told why one fails that the gateway cannot do without. */
export async function conditionOf(
  one: Dependency,
  report: (error: unknown) => void,
  milliseconds = CHECK_MILLISECONDS,
): Promise<Condition> {
  try {
    await inTime(one.check(), milliseconds)
    return 'ok'
  } catch (error) {
    const spared = one.spare !== undefined && (await inTime(one.spare(error), SPARE_MILLISECONDS).catch(() => false))
    if (spared) return 'degraded'
    report(error)
    return 'failing'
  }
}

async function inTime<T>(asked: Promise<T>, milliseconds = CHECK_MILLISECONDS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds)
  })
  try {
    return await Promise.race([asked, late])
  } finally {
    clearTimeout(timer)
  }
}
