import { namedBuckets } from '../../config/bucket-rules.ts'
import type { Settings } from '../../config/settings.ts'
import { collectMetrics, type Metrics } from '../../telemetry/metrics.ts'
import { VERSION } from '../version.ts'

export interface ServingMetrics extends Metrics {
  /** Names the buckets of new settings, too. */
  readonly apply: (settings: Settings) => void
}

/** What this process counts, as the settings ask for it. */
export function openMetrics(settings: Settings): ServingMetrics {
  const metrics = collectMetrics({ ...settings.metrics, version: VERSION })
  const apply = (next: Settings): void => metrics.nameBuckets(namedBuckets(next))
  apply(settings)
  return { ...metrics, apply }
}
