/**
 * Connections for undici that cannot take the process with them. A store that ends the connection after an answer, while the
 * answer waits for a slow reader, makes undici 7 assert in the socket's `end` event, where nobody catches
 * (client-h1.js, `Parser.finish`). Here it ends the connection instead; what had arrived whole is whole.
 */
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'

/** `connect` is what undici would have connected with: a connector, or the options for one. */
export function guardedConnect(
  connect: buildConnector.BuildOptions | buildConnector.connector | undefined,
): buildConnector.connector {
  const inner = typeof connect === 'function' ? connect : buildConnector({ ...connect })
  return (options, callback) => {
    inner(options, (...outcome) => {
      const [error, socket] = outcome
      if (error === null && socket !== null) {
        guard(socket)
        gatherWrites(socket)
      }
      callback(...outcome)
    })
  }
}

type Listener = (...args: unknown[]) => void

function guard(socket: Socket): void {
  const add = socket.on.bind(socket) as (event: string, listener: Listener) => Socket
  const guarded = (event: string, listener: Listener): Socket =>
    add(event, event === 'end' ? caught(socket, listener) : listener)
  Object.assign(socket, { on: guarded })
}

/**
 * undici corks the socket around each piece of a body. Uncorked a tick later, the pieces of one batch leave in one gather write: a
 * system call in place of one for every ciphertext and every tag.
 */
function gatherWrites(socket: Socket): void {
  const uncork = socket.uncork.bind(socket)
  let owed = 0
  const later = (): void => {
    owed += 1
    if (owed > 1) return
    process.nextTick(() => {
      for (; owed > 0; owed -= 1) uncork()
    })
  }
  Object.assign(socket, { uncork: later })
}

function caught(socket: Socket, listener: Listener): Listener {
  return (...args) => {
    try {
      Reflect.apply(listener, socket, args)
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error('the connection ended', { cause: error }))
    }
  }
}
