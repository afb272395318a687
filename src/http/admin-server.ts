/** The admin listener: liveness and readiness. On loopback by default; it tells which dependency fails, never why in detail. */
import { type FastifyInstance, fastify } from 'fastify'

/** Something the gateway needs in order to serve. */
export interface Dependency {
  readonly name: string
  /** Throws if it cannot serve now. */
  readonly check: () => Promise<void>
}

export interface Readiness {
  readonly dependencies: readonly Dependency[]
  /** True from the moment shutdown begins: load balancers send nothing new. */
  readonly draining: () => boolean
  readonly report: (dependency: string, error: unknown) => void
}

const CHECK_MILLISECONDS = 5_000

/** `GET /healthz` is 200 while the process lives; `GET /readyz` is 200 if every dependency answers, else 503, with one line for each. */
export function createAdminServer(readiness: Readiness): FastifyInstance {
  const app = fastify({ logger: false })
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const results = await Promise.all(readiness.dependencies.map((one) => check(one, readiness)))
    const ready = !readiness.draining() && results.every((result) => result.status === 'ok')
    reply.code(ready ? 200 : 503)
    return { status: readiness.draining() ? 'draining' : ready ? 'ok' : 'failing', dependencies: results }
  })
  return app
}

async function check(one: Dependency, readiness: Readiness): Promise<{ name: string; status: 'ok' | 'failing' }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MILLISECONDS} ms`)), CHECK_MILLISECONDS)
  })
  try {
    await Promise.race([one.check(), late])
    return { name: one.name, status: 'ok' }
  } catch (error) {
    readiness.report(one.name, error)
    return { name: one.name, status: 'failing' }
  } finally {
    clearTimeout(timer)
  }
}
