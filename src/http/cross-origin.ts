import { corsRulesOf } from '../gateway/configuration/cors.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { corsHeaders } from '../s3/cors.ts'
import { alarm } from '../telemetry/channels.ts'

/**
 * What the answer to a request with an Origin tells the browser, errors included: without it a script sees nothing of
 * either. `undefined` if no rule allows the origin. A store that does not tell its rules does not fail the request.
 */
export async function crossOrigin(
  gateway: Gateway,
  request: { readonly bucket: string; readonly origin: string; readonly method: string },
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    return corsHeaders(await corsRulesOf(gateway, request.bucket), request)
  } catch (cause) {
    alarm.publish({
      what: 'the cross-origin rules of a bucket cannot be read',
      detail: { bucket: request.bucket },
      cause,
    })
    return undefined
  }
}
