/** Plays the list of steps against one endpoint, in order, and keeps every answer. */
import { Agent, request as httpRequest } from 'node:http'
import { frame, payloadName } from './chunks.mjs'
import { encode, presign, sha256, signHeaders } from './sign.mjs'

const LONGEST_MILLISECONDS = 30_000

/** The answers by the name of the step: status, headers and body, or what became of the connection. */
export async function play(steps, { endpoint, accessKey, secretKey }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const context = { agent, url: new URL(endpoint), keys: { accessKey, secretKey }, saved: {} }
  const answers = new Map()
  try {
    for (const step of steps) {
      const answer = await send(build(step, context), context)
      answers.set(step.name, answer)
      for (const [name, pattern] of Object.entries(step.save ?? {})) context.saved[name] = find(answer, pattern)
    }
  } finally {
    agent.destroy()
  }
  return answers
}

/** What is kept for later steps: the first group of a pattern in the body, or a header by its name. */
function find({ headers, body }, pattern) {
  if (typeof pattern === 'string') return headers[pattern] ?? 'none'
  return pattern.exec(body.toString())?.[1]?.replaceAll('&#34;', '"').replaceAll('&quot;', '"') ?? 'none'
}

/** `{name}` becomes what was saved under that name. */
const fill = (text, saved, as = (value) => value) =>
  text.replaceAll(/\{(\w+)\}/g, (all, name) => (saved[name] === undefined ? all : as(saved[name])))

function build(step, { url, keys, saved }) {
  const [method, target] = fill(step.request, saved, encode).split(/ (.*)/s)
  const [path, query = ''] = target.split(/\?(.*)/s)
  const plain = typeof step.body === 'function' ? step.body() : (step.body ?? '')
  const body = Buffer.isBuffer(plain) ? plain : Buffer.from(fill(plain, saved))
  const headers = { host: url.host }
  for (const [name, value] of Object.entries(step.headers ?? {})) headers[name.toLowerCase()] = fill(value, saved)
  const wire = sign({ method, path, query, headers, body, keys, step })
  if (step.length !== false && (wire.body.length > 0 || method === 'PUT' || method === 'POST')) {
    wire.headers['content-length'] = String(step.length ?? wire.body.length)
  }
  for (const name of step.drop ?? []) delete wire.headers[name]
  for (const [name, value] of Object.entries(step.unsigned ?? {})) wire.headers[name] = fill(value, saved)
  return { method, ...wire }
}

function sign({ method, path, query, headers, body, keys, step }) {
  const target = (text) => (text === '' ? path : `${path}?${text}`)
  if (step.sign === 'none') return { target: target(query), headers: { ...headers }, body }
  if (step.sign === 'presigned') {
    const whole = presign({ method, path, query, headers, keys, auth: step.auth })
    return { target: target(whole), headers: { ...headers }, body }
  }
  const { chunked } = step
  if (chunked !== undefined) {
    if (chunked.length !== null) headers['x-amz-decoded-content-length'] = String(chunked.length ?? body.length)
    if (chunked.trailer !== undefined) headers['x-amz-trailer'] = chunked.announced ?? Object.keys(chunked.trailer)[0]
  }
  const payload = chunked === undefined ? (step.payload ?? sha256(body)) : payloadName(chunked)
  const signed = signHeaders({ method, path, query, headers, payload, keys, auth: step.auth })
  return {
    target: target(query),
    headers: signed.headers,
    body: chunked === undefined ? body : frame(body, chunked, signed),
  }
}

function send({ method, target, headers, body }, { agent, url }) {
  return new Promise((resolve) => {
    const failed = (error) =>
      resolve({ status: 0, headers: {}, body: Buffer.from(String(error.code ?? error.message)), method })
    const options = { agent, host: url.hostname, port: url.port, method, path: target, headers, setHost: false }
    const req = httpRequest(options, (res) => {
      const pieces = []
      res.on('data', (piece) => pieces.push(piece)).on('error', failed)
      res.on('end', () =>
        resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(pieces), method }),
      )
    })
    req.on('error', failed)
    req.setTimeout(LONGEST_MILLISECONDS, () => req.destroy(new Error('no answer')))
    req.end(body)
  })
}
