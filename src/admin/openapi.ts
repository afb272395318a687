/** The admin API as an OpenAPI 3.1 document, made from the schemas that check what comes and type what goes. */
import { z } from 'zod'
import { ADMIN_ERRORS, type AdminErrorCode } from './refusal.ts'
import type { Route } from './route.ts'
import { ADMIN_ROUTES } from './routes.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema & { readonly description?: string; readonly default?: unknown }>>
  readonly required?: readonly string[]
  readonly [keyword: string]: unknown
}

/** What every operation may answer. */
const EVERYWHERE: readonly AdminErrorCode[] = [
  'BadRequest',
  'Unauthorized',
  'NotConfigured',
  'TooManyRequests',
  'Internal',
  'Unavailable',
]
const WITH_A_BODY: readonly AdminErrorCode[] = ['TooLarge', 'UnsupportedMediaType']

/** The whole document; a new copy each time. */
export function openApiDocument() {
  const paths: Record<string, Record<string, unknown>> = {
    '/v1/openapi.json': {
      get: {
        operationId: 'getDocument',
        summary: 'This document.',
        responses: { 200: response('The document.', { type: 'object' }), ...refusals(EVERYWHERE) },
      },
    },
  }
  for (const route of ADMIN_ROUTES) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sealgate admin API',
      version: '1',
      description:
        'On the admin listener of the gateway. Fields may be added to answers; requests are taken as they are described.',
    },
    security: [{ token: [] }, { certificate: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token of the settings: admin.token, admin.tokens.' },
        certificate: { type: 'mutualTLS', description: 'A certificate by an authority of admin.tls.clientCaFile.' },
      },
      responses: refusalResponses(),
      schemas: {
        Error: schemaOf(
          z.strictObject({
            error: z.strictObject({ code: z.enum(Object.keys(ADMIN_ERRORS)), message: z.string() }),
          }),
        ),
      },
    },
  }
}

function operation(route: Route) {
  const parameters = [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')]
  const body = schemaOf(route.body, 'input')
  const hasBody = Object.keys(body.properties ?? {}).length > 0
  const codes = [...EVERYWHERE, ...route.refusals, ...(hasBody ? WITH_A_BODY : [])]
  const content = { 'application/json': { schema: body } }
  return {
    operationId: route.operation,
    summary: route.summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(hasBody ? { requestBody: { required: false, content } } : {}),
    responses: {
      [route.status]: answerOf(route),
      ...refusals(codes),
    },
  }
}

/** Bytes have no schema (OpenAPI 3.1, 4.8.14.2). */
function answerOf({ content, status, answer }: Route) {
  if (content !== undefined) return { description: 'Done.', content: { [content]: {} } }
  return response(status === 202 ? 'Begun.' : 'Done.', schemaOf(answer, 'output'))
}

function parametersOf(schema: z.ZodType, place: 'path' | 'query') {
  const { properties = {}, required = [] } = schemaOf(schema, 'input')
  return Object.entries(properties).map(([name, { description, ...inner }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: inner,
  }))
}

function refusals(codes: readonly AdminErrorCode[]) {
  return Object.fromEntries(
    codes.map((code) => {
      const [status] = ADMIN_ERRORS[code]
      return [status, { $ref: `#/components/responses/${nameOf(status)}` }]
    }),
  )
}

/** One for each status, which may have several codes. */
function refusalResponses() {
  const byStatus = new Map<number, string[]>()
  for (const [code, [status, message]] of Object.entries(ADMIN_ERRORS)) {
    byStatus.set(status, [...(byStatus.get(status) ?? []), `\`${code}\`: ${message}`])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, lines]) => [
      nameOf(status),
      response(lines.join(' '), { $ref: '#/components/schemas/Error' }),
    ]),
  )
}

const nameOf = (status: number): string => `Refused${status}`

const response = (description: string, schema: unknown) => ({
  description,
  content: { 'application/json': { schema } },
})

/** Of an answer clients must not rely on having seen every field. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output' = 'output'): Schema {
  const found = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      if (io === 'output') delete jsonSchema.additionalProperties
    },
  })
  const { $schema: _, ...rest }: Schema = JSON.parse(JSON.stringify(found))
  return rest
}
