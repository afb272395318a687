import type { FastifyInstance } from 'fastify'
import { closeQuietConnections } from './connections.ts'

const SWEEP_MILLISECONDS = 100

/**
 * Stops accepting, lets requests under way finish for at most `graceMilliseconds`, then closes what is left. Resolves to
 * false if connections had to be cut.
 */
export async function drain(app: FastifyInstance, graceMilliseconds: number): Promise<boolean> {
  // A connection that finishes its request, or never sent one, would hold the server open.
  const sweep = setInterval(() => closeQuietConnections(app.server), SWEEP_MILLISECONDS)
  let whole = true
  const cut = setTimeout(() => {
    whole = false
    app.server.closeAllConnections()
  }, graceMilliseconds)
  try {
    await app.close()
  } finally {
    clearInterval(sweep)
    clearTimeout(cut)
  }
  return whole
}
