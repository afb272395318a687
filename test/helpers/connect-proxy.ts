/** A proxy that opens tunnels (CONNECT), all of them to one port of 127.0.0.1. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface ConnectProxy {
  readonly url: string
  /** `host:port` of each tunnel that was asked for. */
  readonly asked: string[]
  /** `proxy-authorization` of each. */
  readonly authorised: (string | undefined)[]
  /** What happens to further requests for a tunnel. */
  answer: 'open' | 'refuse' | 'hang'
  readonly close: () => Promise<void>
}

export async function startConnectProxy(port: number): Promise<ConnectProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((_req, res) => void res.writeHead(405).end())
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    authorised: [],
    answer: 'open',
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  server.on('connect', (req, socket: Socket) => {
    proxy.asked.push(req.url ?? '')
    proxy.authorised.push(req.headers['proxy-authorization'])
    if (proxy.answer === 'refuse') socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    if (proxy.answer !== 'open') return
    const out = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      socket.pipe(out).pipe(socket)
    })
    out.on('error', () => socket.destroy()).on('close', () => socket.destroy())
    socket.on('close', () => out.destroy())
  })
  return proxy
}
