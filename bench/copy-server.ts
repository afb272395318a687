/** The floor: a Node server that only copies bodies to and from files, as the documentation of `node:stream` shows it. */
import { createReadStream, createWriteStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const folder = process.argv[2] ?? '.'
const fileOf = (url: string | undefined): string => join(folder, (url ?? '/').replaceAll('/', '_'))

const server = createServer((req, res) => {
  const path = fileOf(req.url)
  const work =
    req.method === 'PUT'
      ? pipeline(req, createWriteStream(path, { flush: true })).then(() => void res.end())
      : (res.setHeader('content-length', statSync(path).size), pipeline(createReadStream(path), res))
  work.catch(() => res.destroy())
})
server.listen(0, '127.0.0.1', () => {
  console.log(`listening ${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => server.close(() => process.exit(0)))
