/** The admin listener: liveness, readiness and metrics. On loopback by default; it tells which dependency fails, never why in detail. */
import { type FastifyInstance, fastify } from 'fastify'

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
}

const CHECK_MILLISECONDS = 5_000
/** By then everything has been looked at. */
const SPARE_MILLISECONDS = 500

/**
 * `GET /healthz` is 200 while the process lives; `GET /readyz` is 200 if every dependency answers or can be spared, else 503, with one line for
 * each, and, as a detail, how many buckets have configurations that nothing acts on yet; `GET /metrics` is Prometheus' text format.
 */
export function createAdminServer(parts: AdminParts): FastifyInstance {
  const app = fastify({ logger: false })
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
  return app
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
