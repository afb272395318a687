import { Counter, type Registry } from 'prom-client'
import { spans as spansTold } from '../channels.ts'

export function countSpans(registry: Registry): readonly (() => void)[] {
  const counter = new Counter({
    registers: [registry],
    labelNames: ['outcome'],
    name: 'sealgate_trace_spans_total',
    help: 'Spans that the collector has taken (exported), has not taken (failed), or that found no room in the queue (dropped).',
  })
  return [spansTold.subscribe(({ outcome, spans }) => counter.inc({ outcome }, spans))]
}
