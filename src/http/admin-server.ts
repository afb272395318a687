/** The admin listener: liveness, readiness and metrics. On loopback by default; it tells which dependency fails, never why in detail. */
import { type FastifyInstance, fastify } from 'fastify'

/** Something the gateway needs in order to serve. */
export interface Dependency {
  readonly name: string
  /** Throws if it cannot serve now. */
  readonly check: () => Promise<void>
}

export interface AdminParts {
  readonly dependencies: readonly Dependency[]
  /** True from the moment shutdown begins: load balancers send nothing new. */
  readonly draining: () => boolean
  readonly report: (dependency: string, error: unknown) => void
  readonly metrics: { readonly contentType: string; readonly text: () => Promise<string> }
}

const CHECK_MILLISECONDS = 5_000

/**
 * `GET /healthz` is 200 while the process lives; `GET /readyz` is 200 if every dependency answers, else 503, with one line for
 * each; `GET /metrics` is Prometheus' text format.
 */
export function createAdminServer(parts: AdminParts): FastifyInstance {
  const app = fastify({ logger: false })
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const results = await Promise.all(parts.dependencies.map((one) => check(one, parts)))
    const ready = !parts.draining() && results.every((result) => result.status === 'ok')
    reply.code(ready ? 200 : 503)
    return { status: parts.draining() ? 'draining' : ready ? 'ok' : 'failing', dependencies: results }
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type(parts.metrics.contentType)
    return parts.metrics.text()
  })
  return app
}

async function check(one: Dependency, { report }: AdminParts): Promise<{ name: string; status: 'ok' | 'failing' }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MILLISECONDS} ms`)), CHECK_MILLISECONDS)
  })
  try {
    await Promise.race([one.check(), late])
    return { name: one.name, status: 'ok' }
  } catch (error) {
    report(one.name, error)
    return { name: one.name, status: 'failing' }
  } finally {
    clearTimeout(timer)
  }
}
