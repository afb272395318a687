/**
 * The metrics of a cluster: those of its primary and of all workers as one. A worker that does not answer in time counts as it was when
 * it last did, and one that has ended keeps what it had counted, so that no counter goes down.
 */
import { type Scrape, scraping } from './exposition.ts'
import { type Description, lasting, merged, type Snapshot } from './snapshot.ts'

export interface ClusterMetrics {
  readonly scrape: Scrape
  /** That worker has ended. */
  readonly forget: (worker: number) => void
}

export interface ClusterParts {
  /** Of the process that answers. */
  readonly own: () => Promise<Snapshot>
  /** Those that run, by number. */
  readonly workers: () => ReadonlyMap<number, () => Promise<Snapshot>>
}

export function clusterMetrics({ own, workers }: ClusterParts): ClusterMetrics {
  const last = new Map<number, Snapshot>()
  let gone: Snapshot = []
  const collect = async (): Promise<Snapshot> => {
    const running = workers()
    const answers = await Promise.allSettled(
      [...running].map(async ([id, ask]) => {
        const found = await ask()
        // It may have ended meanwhile.
        if (workers().has(id)) last.set(id, found)
        return found
      }),
    )
    const silent = [...running].filter((_, at) => answers[at]?.status === 'rejected').length
    return merged([await own(), workersOf(running.size, silent), ...last.values(), gone])
  }
  return {
    scrape: scraping(collect),
    forget: (worker) => {
      gone = merged([gone, lasting(last.get(worker) ?? [])])
      last.delete(worker)
    },
  }
}

const WORKERS = {
  name: 'sealgate_workers',
  help: 'Workers by whether they answered this scrape; only where server.workers is above 1.',
  type: 'gauge',
} as const

/** Those that no registry has. */
export const CLUSTER_METRICS: readonly Description[] = [{ ...WORKERS, labels: ['state'] }]

function workersOf(all: number, silent: number): Snapshot {
  const values = [
    { labels: { state: 'answered' }, value: all - silent },
    { labels: { state: 'silent' }, value: silent },
  ]
  return [{ ...WORKERS, aggregator: 'sum', values }]
}
