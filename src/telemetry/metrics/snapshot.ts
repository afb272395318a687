/** What the metrics of one process say at one moment, as plain data that goes from process to process, and several of them made one. */
import type { Registry } from 'prom-client'

/** One value that was observed, and the trace that it is of. */
export interface Exemplar {
  readonly labelSet: Readonly<Record<string, string>>
  readonly value: number
  /** Seconds since 1970. */
  readonly timestamp: number
}

export interface Sample {
  /** Where it is not that of the family. */
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly exemplar?: Exemplar
}

/** How the values of several processes become one. */
export type Aggregator = 'sum' | 'max' | 'min' | 'first'

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly aggregator: Aggregator
  readonly values: readonly Sample[]
}

export type Snapshot = readonly Family[]

export async function snapshotOf(registry: Registry): Promise<Snapshot> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the form of prom-client's metrics, whose types leave out what histograms add
  return (await registry.getMetricsAsJSON()) as unknown as Snapshot
}

/** What a metric is, whether or not anything has been counted. */
export interface Description {
  readonly name: string
  readonly help: string
  readonly type: Family['type']
  readonly labels: readonly string[]
}

export function descriptionsOf(registry: Registry): readonly Description[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what all metrics have, though the types of prom-client keep it to themselves
  const metrics = registry.getMetricsAsArray() as unknown as readonly (Omit<Description, 'labels'> & {
    readonly labelNames: readonly string[]
  })[]
  return metrics.map(({ name, help, type, labelNames }) => ({ name, help, type, labels: labelNames }))
}

/** All of them as one. Of two exemplars the newer one stays. */
export function merged(snapshots: readonly Snapshot[]): Snapshot {
  const families = new Map<string, { readonly family: Family; readonly samples: Map<string, Sample> }>()
  for (const family of snapshots.flat()) {
    const known = families.get(family.name)
    const { samples } = known ?? { samples: new Map<string, Sample>() }
    if (known === undefined) families.set(family.name, { family, samples })
    for (const sample of family.values) {
      const key = `${sample.metricName ?? ''} ${JSON.stringify(sample.labels)}`
      const before = samples.get(key)
      samples.set(key, before === undefined ? sample : joined(family.aggregator, before, sample))
    }
  }
  return [...families.values()].map(({ family, samples }) => ({ ...family, values: [...samples.values()] }))
}

function joined(aggregator: Aggregator, a: Sample, b: Sample): Sample {
  const newer = (a.exemplar?.timestamp ?? 0) >= (b.exemplar?.timestamp ?? 0) ? a : b
  const { exemplar } = newer
  return { ...a, value: JOIN[aggregator](a.value, b.value), ...(exemplar === undefined ? {} : { exemplar }) }
}

const JOIN: Readonly<Record<Aggregator, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  max: Math.max,
  min: Math.min,
  first: (a) => a,
}

/** What must not go down when a process has ended: whoever reads counters takes less for a new beginning. */
export function lasting(snapshot: Snapshot): Snapshot {
  return snapshot.filter(({ type }) => type !== 'gauge')
}
