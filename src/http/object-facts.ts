import type { OperationResponse } from '../gateway/gateway.ts'
import type { RequestEvent } from '../telemetry/channels.ts'
import type { Meter } from '../telemetry/meter.ts'

/** What the log says of the object: its own bytes, and the version that was read or made. */
export function objectFacts(
  operation: RequestEvent['operation'],
  response: OperationResponse,
  meter: Meter,
): Pick<RequestEvent, 'objectBytes' | 'versionId'> {
  const versionId = response.headers?.['x-amz-version-id']
  const objectBytes = objectBytesOf(operation, response, meter)
  return {
    ...(versionId === undefined ? {} : { versionId }),
    ...(objectBytes === undefined ? {} : { objectBytes }),
  }
}

function objectBytesOf(
  operation: RequestEvent['operation'],
  { status, headers = {}, body }: OperationResponse,
  meter: Meter,
): number | undefined {
  if (operation === 'PutObject' || operation === 'UploadPart') return meter.receivedBytes
  if (operation !== 'GetObject' && operation !== 'HeadObject') return undefined
  const total = headers['content-range']?.split('/')[1]
  if (total !== undefined) return Number(total)
  if (status !== 200) return undefined
  return typeof body === 'object' ? body.length : Number(headers['content-length'])
}
