/** Floors for a gateway before a store: a Node proxy that only copies bodies, and one that seals them the plain way. Both sign what they send. */
import { createCipheriv, randomBytes } from 'node:crypto'
import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline, type Readable, Transform } from 'node:stream'
import { UNSIGNED_PAYLOAD } from '../src/s3/auth/canonical-request.ts'
import { signRequest } from '../src/s3/auth/sign.ts'

const [endpoint = '', accessKey = '', secret = '', mode = 'copy'] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: 256 })
const CHUNK = 64 * 1024
const TAG = 16
const key = randomBytes(32)

/** Seals chunks of 64 KiB, as streams are usually written: what does not fit waits in a list. */
function sealing(): Transform {
  let waiting: Buffer[] = []
  let held = 0
  const seal = (chunk: Buffer): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', key, randomBytes(12))
    return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()])
  }
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      waiting.push(piece)
      held += piece.length
      while (held >= CHUNK) {
        const all = Buffer.concat(waiting)
        this.push(seal(all.subarray(0, CHUNK)))
        waiting = [all.subarray(CHUNK)]
        held -= CHUNK
      }
      done()
    },
    flush(done) {
      if (held > 0) this.push(seal(Buffer.concat(waiting)))
      done()
    },
  })
}

/** The cost of opening, without the truth of it: each chunk is decrypted under the same key stream. */
function opening(): Transform {
  let waiting: Buffer[] = []
  let held = 0
  const whole = CHUNK + TAG
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      waiting.push(piece)
      held += piece.length
      while (held >= whole) {
        const all = Buffer.concat(waiting)
        const cipher = createCipheriv('aes-256-gcm', key, randomBytes(12))
        this.push(Buffer.concat([cipher.update(all.subarray(0, CHUNK)), cipher.final()]))
        waiting = [all.subarray(whole)]
        held -= whole
      }
      done()
    },
    flush(done) {
      if (held > TAG) this.push(Buffer.concat(waiting).subarray(0, held - TAG))
      done()
    },
  })
}

const sealedLength = (bytes: number): number => bytes + TAG * Math.ceil(bytes / CHUNK)

const server = createServer((req, res) => {
  const method = req.method ?? 'GET'
  const url = `${endpoint}${req.url ?? '/'}`
  const length = Number(req.headers['content-length'] ?? 0)
  const sent = mode === 'seal' && method === 'PUT' ? sealedLength(length) : length
  const headers = signRequest({
    method,
    url,
    headers: {
      'content-length': String(sent),
      ...(req.headers.range === undefined ? {} : { range: req.headers.range }),
    },
    credentials: { accessKey, secret },
    region: 'us-east-1',
    now: new Date(),
    payloadHash: UNSIGNED_PAYLOAD,
  })
  const onAnswer = (answer: IncomingMessage): void => {
    const opens = mode === 'seal' && method === 'GET' && answer.statusCode === 200
    const { 'content-length': _, ...kept } = answer.headers
    res.writeHead(answer.statusCode ?? 502, opens ? kept : answer.headers)
    const body: Readable = opens ? answer.pipe(opening()) : answer
    pipeline(body, res, () => undefined)
  }
  const upstream = request(url, { method, headers, agent }, onAnswer)
  upstream.on('error', () => res.destroy())
  if (method === 'PUT' && mode === 'seal') pipeline(req, sealing(), upstream, () => undefined)
  else pipeline(req, upstream, () => undefined)
})
server.listen(0, '127.0.0.1', () => {
  console.log(`listening ${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit(0))
