/** The admin API below `/v1`: nothing of a request is read before it is known who sent it. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import { type AdminAnswer, type AdminCaller, type AdminInput, type AnswerAdmin, refuse } from '../admin/call.ts'
import { Content } from '../admin/content.ts'
import { openApiDocument } from '../admin/openapi.ts'
import { Unavailable } from '../errors.ts'
import { AdminRefusal } from '../admin/refusal.ts'
import type { Route } from '../admin/route.ts'
import { ADMIN_ROUTES } from '../admin/routes.ts'
import { type AuditEvent, alarm, audit, passage } from '../telemetry/channels.ts'
import { pass } from '../telemetry/passage.ts'
import type { AdminGate } from './admin-gate.ts'

const MAX_BODY_BYTES = 64 * 1024
/** Longer than any parameter that is right. */
const MAX_TARGET = 200

/** Registers them. `answer` does what is asked for. */
export function adminRoutes(app: FastifyInstance, gate: AdminGate, answer: AnswerAdmin): void {
  const callers = new WeakMap<IncomingMessage, AdminCaller>()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: MAX_BODY_BYTES },
    app.getDefaultJsonParser('error', 'error'),
  )
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    const found = gate.admit(request.raw)
    if ('refused' in found) return send(reply, found.refused)
    callers.set(request.raw, found)
    return undefined
  })
  app.setErrorHandler((error: FastifyError, _request, reply) => send(reply, answerTo(error)))
  app.setNotFoundHandler((_request, reply) => send(reply, refuse('NotFound')))
  app.route({
    method: 'GET',
    url: '/openapi.json',
    exposeHeadRoute: false,
    handler: async (_request, reply) => send(reply, { status: 200, body: openApiDocument() }),
  })
  const alone = new OneAtATime(answer)
  for (const route of ADMIN_ROUTES) {
    app.route({
      method: route.method,
      url: route.path.replace('/v1', '').replaceAll(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: false,
      errorHandler: (error: FastifyError, { raw, params }, reply) => {
        const caller = callers.get(raw)
        const given = answerTo(error)
        if (caller !== undefined) tell(route, caller, { target: targetOf(params) }, given)
        void send(reply, given)
      },
      handler: async ({ raw, params, query, body }, reply) => {
        const caller = callers.get(raw)
        if (caller === undefined) return send(reply, refuse('Unauthorized'))
        const input = { params, query, ...(body === undefined ? {} : { body }) }
        return send(reply, await call(route, input, caller, route.alone ? alone.answer : answer))
      },
    })
  }
}

/** What is audited is told whatever comes of it. */
async function call(route: Route, input: AdminInput, caller: AdminCaller, answer: AnswerAdmin): Promise<AdminAnswer> {
  let target: string
  let given: AdminAnswer
  try {
    if (route.audited && passage.heard) await pass()
    target = route.target(input)
    const worker = route.worker?.(input)
    given = await answer({ operation: route.operation, input, caller, ...(worker === undefined ? {} : { worker }) })
  } catch (error) {
    if (error instanceof Unavailable) return refuse('Unavailable', 1)
    if (!(error instanceof AdminRefusal)) throw error
    target = targetOf(input.params)
    given = refuse(error)
  }
  const holds: Promise<void>[] = []
  tell(route, caller, { target, holdFor: (work) => void holds.push(work) }, given)
  try {
    await Promise.all(holds)
  } catch {
    return refuse('Unavailable', 1)
  }
  return given
}

/** For the audit, where it is of interest there. */
function tell(
  { audited, operation }: Route,
  caller: AdminCaller,
  told: Pick<AuditEvent, 'target' | 'holdFor'>,
  { status, code }: AdminAnswer,
): void {
  if (!audited) return
  const result = code === undefined ? (status === 202 ? 'begun' : 'done') : status < 500 ? 'refused' : 'failed'
  audit.publish({ ...caller, what: operation, ...told, result, ...(code === undefined ? {} : { code }) })
}

/** Of what is not as it should be. */
const targetOf = (params: unknown): string => JSON.stringify(params).slice(0, MAX_TARGET)

/** What may be under way only once, until its answer has been read, or left. */
class OneAtATime {
  readonly #answer: AnswerAdmin
  #busy = false

  constructor(answer: AnswerAdmin) {
    this.#answer = answer
  }

  readonly answer: AnswerAdmin = async (call) => {
    if (this.#busy) return refuse(new AdminRefusal('Conflict', 'Another one is under way: one at a time.'))
    this.#busy = true
    let content: Content | undefined
    try {
      const given = await this.#answer(call)
      content = given.content
      return content === undefined ? given : { ...given, content: this.#untilRead(content) }
    } finally {
      if (content === undefined) this.#busy = false
    }
  }

  #untilRead({ type, name, pieces }: Content): Content {
    const stream = Readable.from(pieces, { objectMode: false })
    stream.once('close', () => {
      this.#busy = false
    })
    return new Content(type, name, stream)
  }
}

function sendContent(reply: FastifyReply, status: number, { type, name, pieces }: Content): FastifyReply {
  const stream = pieces instanceof Readable ? pieces : Readable.from(pieces, { objectMode: false })
  return reply
    .code(status)
    .headers({ 'content-type': type, 'content-disposition': `attachment; filename="${name}"` })
    .send(stream)
}

function send(reply: FastifyReply, { status, body, content, code, retryAfter }: AdminAnswer): FastifyReply {
  if (content !== undefined) return sendContent(reply, status, content)
  if (code === 'Unauthorized') reply.header('www-authenticate', 'Bearer realm="sealgate"')
  // A body that nobody will read must not be waited for.
  if (code !== undefined) reply.header('connection', 'close')
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
  return reply.code(status).send(body)
}

/** Fastify's own refusals, of bodies for the most part; their words may quote what was sent. */
function answerTo(error: FastifyError): AdminAnswer {
  const { statusCode = 500 } = error
  if (statusCode === 413) return refuse('TooLarge')
  if (statusCode === 415) return refuse('UnsupportedMediaType')
  if (statusCode < 500)
    return refuse(new AdminRefusal('BadRequest', 'The request, or the JSON of its body, is not well formed.'))
  alarm.publish({ what: 'an operation of the admin API failed', detail: {}, cause: error })
  return refuse('Internal')
}
