/**
 * Records what real clients send: `PYTHON=… node scripts/run-ts.mjs test/fuzz/record/record.ts [CLIENT…]`, where `PYTHON` is one that
 * has boto3 and aws-cli. Every request is one file of the corpus in its wire form, signed with the keys of the tests, which open nothing.
 * Clients of one corpus are recorded within a quarter of an hour: it has one clock.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../../helpers/gateway.ts'
import { formRequests } from './forms.ts'
import { sdkRequests } from './sdk-js.ts'

const CORPUS = 'test/fuzz/corpus'
const PYTHON = process.env['PYTHON'] ?? 'python3'
/** A longer request says nothing more to a parser. */
const MOST_BYTES = 32 * 1024

/** Hands every request on to the gateway, and keeps what it was. */
async function startTap(
  running: TestGateway,
  keep: (wire: Buffer) => void,
): Promise<{ endpoint: string; close: () => void }> {
  const server = createServer((req, res) => {
    void body(req).then((bytes) => {
      keep(wireForm(req, bytes))
      const { method, url, rawHeaders } = req
      const onward = request(
        { host: running.host, port: running.port, method, path: url, headers: rawHeaders },
        (answer) => {
          res.writeHead(answer.statusCode ?? 500, answer.rawHeaders)
          answer.pipe(res)
        },
      )
      onward.end(bytes)
    })
  })
  server.on('checkContinue', (req, res) => {
    res.writeContinue()
    server.emit('request', req, res)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): void => {
    server.close()
    server.closeAllConnections()
  }
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

async function body(req: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of req) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** As it came, a chunked body as one chunk. */
function wireForm({ method, url, rawHeaders, headers }: IncomingMessage, bytes: Buffer): Buffer {
  let head = `${method} ${url} HTTP/1.1\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  const chunked = headers['transfer-encoding'] !== undefined
  const [before, after] = chunked ? [`${bytes.length.toString(16)}\r\n`, '\r\n0\r\n\r\n'] : ['', '']
  return Buffer.concat([Buffer.from(`${head}\r\n${before}`, 'latin1'), bytes, Buffer.from(after)])
}

function run(file: string, args: readonly string[], endpoint: string): Promise<void> {
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_CONFIG_FILE: '/nonexistent',
    ENDPOINT: endpoint,
  }
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: 'inherit' })
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${file} ended with ${code}`))))
  })
}

/** Who sends, by the name that its files have. */
const CLIENTS: Readonly<Record<string, (running: TestGateway, endpoint: string) => Promise<void>>> = {
  js: (running, endpoint) => sdkRequests(running.client({ endpoint }), endpoint),
  form: (_running, endpoint) => formRequests(endpoint),
  boto3: (_running, endpoint) => run(PYTHON, ['test/fuzz/record/boto3_requests.py'], endpoint),
  'aws-cli': (_running, endpoint) =>
    run('bash', ['test/fuzz/record/aws-cli.sh', join(dirname(PYTHON), 'aws')], endpoint),
}

const running = await startGateway()
const chosen = process.argv.slice(2)
let client = ''
let count = 0
mkdirSync(CORPUS, { recursive: true })
const tap = await startTap(running, (wire) => {
  if (wire.length > MOST_BYTES) return
  count += 1
  writeFileSync(join(CORPUS, `${client}-${String(count).padStart(3, '0')}.http`), wire)
})
for (const [name, send] of Object.entries(CLIENTS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  for (const old of readdirSync(CORPUS)) if (old.startsWith(`${name}-0`)) rmSync(join(CORPUS, old))
  client = name
  count = 0
  await send(running, tap.endpoint)
  console.log(`${count} requests of ${name} recorded`)
}
tap.close()
await running.close()
