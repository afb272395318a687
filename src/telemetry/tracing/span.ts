/** A span as this gateway makes it: whole, when it has ended. An exporter of OpenTelemetry is handed it in that library's shape. */

export type SpanValue = string | number | boolean

export interface Span {
  readonly traceId: string
  readonly spanId: string
  /** `remote`: of whoever has asked. */
  readonly parent: { readonly spanId: string; readonly remote: boolean } | undefined
  readonly name: string
  readonly kind: 'server' | 'client' | 'internal'
  /** Milliseconds since 1970, with fractions. */
  readonly begun: number
  readonly milliseconds: number
  readonly attributes: Readonly<Record<string, SpanValue>>
  readonly failed: boolean
}
