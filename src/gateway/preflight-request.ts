import { corsHeaders, parsePreflight } from '../s3/cors.ts'
import { S3Error } from '../s3/errors.ts'
import { corsRulesOf } from './configuration/cors.ts'
import type { Operation } from './gateway.ts'

/** What a browser asks before a request of a script. It carries no signature, and tells nothing of what exists (B102). */
export const preflightRequest: Operation = async (gateway, { bucket, key, headers }) => {
  const question = parsePreflight((name) => headers.get(name))
  const rules = await corsRulesOf(gateway, bucket)
  const extra = { Method: question.method, ResourceType: key === '' ? 'BUCKET' : 'OBJECT' }
  if (rules.length === 0) {
    throw new S3Error('AccessForbidden', { message: 'CORSResponse: CORS is not enabled for this bucket.', extra })
  }
  const allowed = corsHeaders(rules, question)
  if (allowed !== undefined) return { status: 200, headers: allowed }
  throw new S3Error('AccessForbidden', {
    message:
      "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
    extra,
  })
}
