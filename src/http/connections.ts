/** Which connections have a request under way. Node calls a connection that never sent one busy, and it would hold up a shutdown. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Answers not yet given by connection, for each server. */
const OPEN = new WeakMap<Server, Map<Socket, Set<ServerResponse>>>()

/** Starts to count; call it before the server listens. */
export function trackConnections(server: Server, secure: boolean): void {
  const open = new Map<Socket, Set<ServerResponse>>()
  OPEN.set(server, open)
  const opened = (socket: Socket): void => {
    open.set(socket, new Set())
    socket.once('close', () => {
      for (const res of open.get(socket) ?? []) abandon(res)
      open.delete(socket)
    })
  }
  const begun = (raw: IncomingMessage, res: ServerResponse): void => {
    const answers = open.get(raw.socket)
    answers?.add(res)
    res.once('close', () => answers?.delete(res))
  }
  // Over TLS requests come on the secure socket, not on the one below it.
  server.on(secure ? 'secureConnection' : 'connection', opened)
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.prependListener(event, begun)
}

/** The answer at the head of a connection: the only one whose bytes may be on the wire, and the one that a client waits for. */
export function answerAtHead(server: Server, socket: Socket): ServerResponse | undefined {
  const [first] = OPEN.get(server)?.get(socket) ?? []
  return first
}

/** Closes every connection on which no request is under way. */
export function closeQuietConnections(server: Server): void {
  for (const [socket, answers] of OPEN.get(server) ?? []) if (answers.size === 0) socket.destroy()
}

/** Node tells only the answer at the head of a connection that it has closed; those pipelined behind it would keep their files open for ever. */
function abandon(res: ServerResponse): void {
  if (res.socket !== null) return
  res.destroy()
  res.emit('close')
}
