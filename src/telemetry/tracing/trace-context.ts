/** W3C Trace Context: what a client says of its trace, and what a store is told of ours. */

/** What a client wrote, as far as it is well formed. */
export interface ParentContext {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  readonly state: string | undefined
}

/** Later versions may say more behind it; the first says exactly this. */
const TRACE_PARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const LONGEST_PARENT = 256
/** Members with neither line ends nor anything else that a header cannot hold. */
const TRACE_STATE = /^[\x20-\x7e\t]{1,512}$/
const SAMPLED = 1

/** `undefined` for anything that is not one: the trace begins here then. */
export function parentOf(traceparent: string | undefined, tracestate: () => string | undefined) {
  if (traceparent === undefined || traceparent.length > LONGEST_PARENT) return undefined
  const [, version, traceId, spanId, flags = '', more] = TRACE_PARENT.exec(traceparent.trim()) ?? []
  if (traceId === undefined || spanId === undefined || (version === '00' && more !== undefined)) return undefined
  const state = tracestate()
  return {
    traceId,
    spanId,
    sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED,
    state: state !== undefined && TRACE_STATE.test(state) ? state : undefined,
  } satisfies ParentContext
}

/** The headers that tell of a span. */
export function traceHeaders(
  {
    traceId,
    sampled,
    state,
  }: { readonly traceId: string; readonly sampled: boolean; readonly state: string | undefined },
  spanId: string,
): Record<string, string> {
  const traceparent = `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
  return state === undefined ? { traceparent } : { traceparent, tracestate: state }
}
