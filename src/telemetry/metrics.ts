/** Metrics, fed by the channels: what there is to tell of one process, and of a cluster of them. */
import { Registry } from 'prom-client'
import { BucketLabels } from './metrics/bucket-label.ts'
import { CLUSTER_METRICS } from './metrics/cluster.ts'
import { type Scrape, scraping } from './metrics/exposition.ts'
import { showBuild, showExpiries, showLiveNumbers, showSettings } from './metrics/gateway.ts'
import { countIntegrity } from './metrics/integrity.ts'
import { showJobs } from './metrics/jobs.ts'
import { countKeys } from './metrics/keys.ts'
import { countPlaintext } from './metrics/plaintext.ts'
import { showProcess } from './metrics/process.ts'
import { countRequests } from './metrics/requests.ts'
import { showRotation } from './metrics/rotation.ts'
import { countLostLines } from './metrics/lost-lines.ts'
import { type Description, descriptionsOf, type Snapshot, snapshotOf } from './metrics/snapshot.ts'
import { countSpans } from './metrics/spans.ts'
import { countStoreCalls } from './metrics/stores.ts'
import { countUploads } from './metrics/uploads.ts'

export interface MetricsOptions {
  /** Bucket names that become labels; further ones are counted together. */
  readonly buckets: number
  /** Combinations of operation, bucket, status and error code that are told apart. */
  readonly series: number
  readonly version: string
}

export interface Metrics {
  readonly scrape: Scrape
  /** For the primary of a cluster, which puts those of its workers together. */
  readonly snapshot: () => Promise<Snapshot>
  /** All metrics that there are. */
  readonly describe: () => readonly Description[]
  /** Buckets that become labels from now on, as far as there is room. */
  readonly nameBuckets: (names: readonly string[]) => void
  readonly stop: () => void
}

/** What this process has to tell. */
export function collectMetrics({
  buckets = 200,
  series = 5_000,
  version = 'unknown',
}: Partial<MetricsOptions> = {}): Metrics {
  const registry = new Registry()
  const labels = new BucketLabels(buckets)
  showBuild(registry, version)
  const stops = [
    ...countRequests(registry, labels, series),
    ...countStoreCalls(registry),
    ...countIntegrity(registry),
    ...countPlaintext(registry, labels),
    ...countKeys(registry),
    ...showRotation(registry),
    ...countSpans(registry),
    countLostLines(registry),
    ...countUploads(registry),
    ...showJobs(registry),
    ...showSettings(registry),
    ...showExpiries(registry),
    ...showLiveNumbers(registry),
    ...showProcess(registry),
  ]
  const snapshot = (): Promise<Snapshot> => snapshotOf(registry)
  return {
    scrape: scraping(snapshot),
    snapshot,
    describe: () => [...descriptionsOf(registry), ...CLUSTER_METRICS],
    nameBuckets: (names) => labels.add(names),
    stop: () => {
      for (const stop of stops) stop()
    },
  }
}
