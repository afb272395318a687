import { Counter, type Registry } from 'prom-client'
import { linesLost } from '../channels.ts'

export function countLostLines(registry: Registry): () => void {
  const lost = new Counter({
    registers: [registry],
    labelNames: ['log', 'sink'],
    name: 'sealgate_log_lines_lost_total',
    help: 'Lines of the access or audit log that were not written, by where they should have gone: `file` is the audit log itself, others are what it is sent to.',
  })
  return linesLost.subscribe(({ log, sink, lines }) => lost.inc({ log, sink }, lines))
}
