/** A page for people at `GET /` of the admin listener: it asks for the token, and shows what the admin API, readiness and metrics tell. */
import type { FastifyInstance } from 'fastify'
import { PAGE } from './status-page/page.ts'
import { SCRIPT } from './status-page/script.ts'
import { STYLE } from './status-page/style.ts'

/** Nothing but what this listener sends, and nobody frames it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

const FILES = {
  '/': ['text/html; charset=utf-8', PAGE],
  '/status.css': ['text/css; charset=utf-8', STYLE],
  '/status.js': ['text/javascript; charset=utf-8', SCRIPT],
} as const

/** The page itself holds nothing: what it shows is behind the token. */
export function addStatusPage(app: FastifyInstance): void {
  for (const [path, [type, content]] of Object.entries(FILES)) {
    app.get(path, async (_request, reply) => reply.headers(HEADERS).type(type).send(content))
  }
}
