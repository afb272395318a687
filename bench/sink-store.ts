/** A store that keeps nothing: it takes every body and throws it away, so that a disk is not what is measured. It answers what an upload needs. */
import { createHash, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((req, res) => {
  const done = (status: number, body = ''): void => {
    res.writeHead(status, {
      etag: `"${createHash('md5').update(randomUUID()).digest('hex')}"`,
      'content-length': Buffer.byteLength(body),
    })
    res.end(req.method === 'HEAD' ? '' : body)
  }
  req.resume()
  req.on('end', () => {
    if (req.method === 'GET') done(200, '<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>')
    else done(req.method === 'DELETE' ? 204 : 200)
  })
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  console.log(`listening ${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit(0))
