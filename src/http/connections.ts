/** Which connections have a request under way. Node calls a connection that never sent one busy, and it would hold up a shutdown. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests under way by connection, for each server. */
const OPEN = new WeakMap<Server, Map<Socket, number>>()

/** Starts to count; call it before the server listens. */
export function trackConnections(server: Server, secure: boolean): void {
  const requests = new Map<Socket, number>()
  OPEN.set(server, requests)
  const opened = (socket: Socket): void => {
    requests.set(socket, 0)
    socket.once('close', () => requests.delete(socket))
  }
  const begun = (raw: IncomingMessage, res: ServerResponse): void => {
    const { socket } = raw
    const add = (n: number): void => {
      const count = requests.get(socket)
      if (count !== undefined) requests.set(socket, count + n)
    }
    add(1)
    res.once('close', () => add(-1))
  }
  // Over TLS requests come on the secure socket, not on the one below it.
  server.on(secure ? 'secureConnection' : 'connection', opened)
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.prependListener(event, begun)
}

/** Closes every connection on which no request is under way. */
export function closeQuietConnections(server: Server): void {
  for (const [socket, count] of OPEN.get(server) ?? []) if (count === 0) socket.destroy()
}
