/** The table of metrics in docs/observability.md, between two comments; the rest of that file is written by hand. */
import { collectMetrics } from '../../src/telemetry/metrics.ts'

const BEGIN = '<!-- The table is made from src/telemetry/metrics: `npm run docs` writes it anew. -->\n'
const END = '<!-- End of the table. -->'

/** All metrics, by name. */
export function metricsTable(): string {
  const metrics = collectMetrics()
  const rows = metrics
    .describe()
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labels, help }) => {
      const shown = labels.length === 0 ? '' : labels.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${type} | ${shown} | ${help} |`
    })
  metrics.stop()
  return ['| metric | type | labels | what it says |', '|---|---|---|---|', ...rows, ''].join('\n')
}

/** The document with the table as it should be. */
export function withMetrics(document: string): string {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error('docs/observability.md has no place for the table of metrics')
  return `${document.slice(0, begin + BEGIN.length)}\n${metricsTable()}\n${document.slice(end)}`
}
