import type { ServerResponse } from 'node:http'
import type { Body } from '../backends/body.ts'
import type { Meter } from '../telemetry/meter.ts'

/** Waits until the client took what was written, or went away. */
function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done).off('close', done)
      resolve()
    }
    res.on('drain', done).on('close', done)
  })
}

/**
 * Writes a body with back-pressure, one gather write a batch, and counts it. Returns false if the client went away. Throws what the body
 * throws; the caller must then destroy the connection, never end it (architecture: "Streams").
 */
export async function writeBody(res: ServerResponse, body: Body, meter: Meter): Promise<boolean> {
  for await (const batch of body) {
    if (res.destroyed) return false
    res.cork()
    let room = true
    for (const piece of batch) {
      room = res.write(piece)
      meter.sentBytes += piece.length
    }
    res.uncork()
    if (!room && !res.writableNeedDrain) continue
    if (!room) await drained(res)
  }
  return !res.destroyed
}

/**
 * The same body with its first batch already read, so that what fails at the beginning still gets its own status line.
 * The body must be iterated or left by `return` afterwards.
 */
export async function primed(body: Body): Promise<Body> {
  const iterator = body[Symbol.asyncIterator]()
  const first = await iterator.next()
  return {
    [Symbol.asyncIterator]: () => {
      let pending: IteratorResult<readonly Buffer[]> | undefined = first
      return {
        next: async () => {
          const now = pending
          pending = undefined
          return now ?? (await iterator.next())
        },
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      }
    },
  }
}
