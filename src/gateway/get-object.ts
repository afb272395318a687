import type { Body } from '../backends/body.ts'
import { type GetResult, StoreError } from '../backends/object-store.ts'
import { guessSpan } from '../format/layout.ts'
import { type CustomerKey, parseCustomerKey } from '../s3/encryption-headers.ts'
import { parseRange, requestedPart } from '../s3/range.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from './gateway.ts'
import { giveUp, openRange, openWhole, type PlainRange, readWhole } from './read-body.ts'
import { viewOf, type Wanted } from './read-view.ts'
import { atVersion, type Place } from './place.ts'
import { headNamed, headStored, missing, rereading, type StoredObject, unseal } from './sealed-object.ts'
import { versionOf } from './versions.ts'

/** GetObject: whole, a range, or one part; every byte verified before it is sent (docs/format.md, "What a read costs"). */
export const getObject: Operation = (gateway, request) => rereading(() => readObject(gateway, request))

/** What a read addresses. */
export function placeOf(gateway: Gateway, { bucket, key, query }: OperationRequest): Place {
  return { bucket, key, ...versionOf(gateway, query.get('versionId')) }
}

async function readObject(gateway: Gateway, request: OperationRequest): Promise<OperationResponse> {
  const wanted: Wanted = {
    part: requestedPart(request.headers, request.query),
    range: parseRange(request.headers.get('range')),
  }
  const { sealed, stored } = await begin(gateway, request, wanted, parseCustomerKey(request.headers))
  try {
    return await answerOf(gateway, request, wanted, { sealed, stored })
  } catch (error) {
    // The read may begin again: what is under way of this one holds a connection to the store.
    await giveUp(stored)
    throw error
  }
}

interface Begun {
  readonly sealed: StoredObject
  readonly stored?: GetResult | undefined
}

async function answerOf(
  gateway: Gateway,
  request: OperationRequest,
  wanted: Wanted,
  begun: Begun,
): Promise<OperationResponse> {
  const view = await viewOf(gateway, begun.sealed, request, wanted)
  if (view.status === 304) return { status: 304, headers: view.headers }
  const { status, headers, length, range } = view
  if (length === 0 && range === undefined && wanted.part !== undefined) {
    return { status, headers: { ...headers, 'content-length': '0' } }
  }
  const stream = await streamOf(gateway, request.signal, wanted, begun, range)
  return { status, headers, body: { stream, length } }
}

function streamOf(
  gateway: Gateway,
  signal: AbortSignal,
  wanted: Wanted,
  { sealed, stored }: Begun,
  range: PlainRange | undefined,
): Promise<Body> {
  const guess = wanted.range === undefined ? undefined : stored
  if (range !== undefined) return openRange(gateway, sealed, range, signal, guess)
  if (stored !== undefined && guess === undefined) return openWhole(gateway, sealed, stored, signal)
  // The first request asked for a range that If-Range then set aside.
  return giveUp(guess).then(() => readWhole(gateway, sealed, signal))
}

/**
 * The first request to the store. A `from-to` range is asked for at once as if the object were one segment, which costs one
 * request where that is so; a suffix or a part needs the object's size first.
 */
async function begin(
  gateway: Gateway,
  request: OperationRequest,
  wanted: Wanted,
  customerKey: CustomerKey | undefined,
): Promise<Begun> {
  const place = placeOf(gateway, request)
  const { range, part } = wanted
  if (part !== undefined || range?.kind === 'suffix') return { sealed: await headNamed(gateway, place, customerKey) }
  try {
    const span = range === undefined ? {} : { range: guessSpan(range.first, range.last) }
    const version = atVersion(place)
    const stored = await gateway.store.get(place.bucket, place.key, { ...span, ...version, signal: request.signal })
    return { sealed: await unseal(gateway, place, stored.info, customerKey), stored }
  } catch (error) {
    // Behind the end: conditions come before the range, and the answer carries the plaintext size.
    if (!(error instanceof StoreError) || error.refusal !== 'range-not-satisfiable') throw absent(place, error)
    return { sealed: await headStored(gateway, place, customerKey) }
  }
}

/** Names what is not there, where the store has no answer of its own. */
function absent(place: Place, error: unknown): unknown {
  if (!(error instanceof StoreError) || error.answer !== undefined) return error
  if (error.refusal === 'no-such-version') return missing(place, error)
  return error.refusal === 'no-such-key' ? missing({ bucket: place.bucket, key: place.key }, error) : error
}
