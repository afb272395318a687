/** A span in the shape that OpenTelemetry's exporters take. */
import type { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import type { Span } from './span.ts'

type ReadableSpan = Parameters<OTLPTraceExporter['export']>[0][number]

export interface OtlpParts {
  readonly resource: ReadableSpan['resource']
  readonly scope: ReadableSpan['instrumentationScope']
}

/** Of `SpanKind` and `SpanStatusCode` of OpenTelemetry's API. */
const KINDS = { internal: 0, server: 1, client: 2 } as const
const UNSET = 0
const ERROR = 2
const SAMPLED = 1

export function otlpSpan(
  { traceId, spanId, parent, name, kind, begun, milliseconds, attributes, failed }: Span,
  { resource, scope }: OtlpParts,
): ReadableSpan {
  return {
    name,
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- types alone are loaded here, and an enumeration is code
    kind: KINDS[kind],
    spanContext: () => ({ traceId, spanId, traceFlags: SAMPLED }),
    ...(parent === undefined
      ? {}
      : { parentSpanContext: { traceId, spanId: parent.spanId, traceFlags: SAMPLED, isRemote: parent.remote } }),
    startTime: hrTime(begun),
    endTime: hrTime(begun + milliseconds),
    duration: hrTime(milliseconds),
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- as above
    status: { code: failed ? ERROR : UNSET },
    attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

function hrTime(milliseconds: number): [seconds: number, nanoseconds: number] {
  const seconds = Math.floor(milliseconds / 1_000)
  // The last may round up to a whole second.
  return [seconds, Math.min(999_999_999, Math.round((milliseconds - seconds * 1_000) * 1_000_000))]
}
