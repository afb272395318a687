/** Metrics as text: in Prometheus' own format, or as OpenMetrics, with exemplars, for whoever asks for that. */
import { type Metric, Registry, type RegistryContentType } from 'prom-client'
import type { Family, Snapshot } from './snapshot.ts'

/** An answer to one scrape. */
export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** Answers a scrape. `accept` is the header. */
export type Scrape = (accept: string | undefined) => Promise<Exposition>

const FORMATS = {
  openMetrics: Registry.OPENMETRICS_CONTENT_TYPE,
  prometheus: Registry.PROMETHEUS_CONTENT_TYPE,
} as const

/** However many ask at once, `snapshot` is taken and written once: who comes meanwhile gets the same. */
export function scraping(snapshot: () => Promise<Snapshot>): Scrape {
  const underWay = new Map<string, Promise<Exposition>>()
  return (accept) => {
    const format = wantsOpenMetrics(accept) ? 'openMetrics' : 'prometheus'
    const running = underWay.get(format)
    if (running !== undefined) return running
    const answer = snapshot()
      .then((found) => render(found, format))
      .finally(() => underWay.delete(format))
    underWay.set(format, answer)
    return answer
  }
}

/** Whether version 1 of it is among what is acceptable: scrapers that know it name it first. */
function wantsOpenMetrics(accept = ''): boolean {
  if (accept.length > MOST_ACCEPT) return false
  return accept.split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    if (type !== 'application/openmetrics-text') return false
    const version = parameters.find((one) => one.startsWith('version='))?.slice('version='.length)
    return (version === undefined || version === '1.0.0') && !parameters.some((one) => /^q=0(\.0*)?$/.test(one))
  })
}

/** Longer than any header that a scraper sends. */
const MOST_ACCEPT = 1_000

/** Prom-client writes them, of a registry made for that: names of counters differ between the formats. */
export async function render(snapshot: Snapshot, format: keyof typeof FORMATS): Promise<Exposition> {
  const contentType = FORMATS[format]
  const registry = new Registry<RegistryContentType>()
  registry.setContentType(contentType)
  for (const family of snapshot) registry.registerMetric(asMetric(format === 'openMetrics' ? bare(family) : family))
  return { contentType, text: await registry.metrics() }
}

/** A family of counters has no `_total`; its samples do. */
const bare = (family: Family): Family =>
  family.type === 'counter' ? { ...family, name: family.name.replace(/_total$/, '') } : family

function asMetric(family: Family): Metric {
  const { name, help, type } = family
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a registry asks its metrics for these alone
  return { name, help, type, get: async () => family } as unknown as Metric
}
