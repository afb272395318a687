/**
 * Counters and histograms of the data path, in a registry of prom-client: whoever asks that sees them as its own. Prom-client's
 * count by names of labels, which are put together and checked each time, and a request counts a dozen things; these hand out the
 * cell that counts. They keep exemplars for any format, too.
 */
import type { Metric, Registry } from 'prom-client'
import type { Exemplar, Family, Sample } from './snapshot.ts'

/** Of the values of labels for which there is no room. */
export const OTHER = 'other'

interface Shape<L extends string> {
  readonly name: string
  readonly help: string
  readonly labels: readonly L[]
  /** Combinations of labels that are told apart; further ones are counted together, as `other`. */
  readonly limit?: number
}

/** What counts under one combination of labels. */
export class Cell {
  value = 0
  readonly labels: Readonly<Record<string, string>>

  constructor(labels: Readonly<Record<string, string>>) {
    this.labels = labels
  }
}

/** The cells of one metric, by the values of its labels. */
class Cells<L extends string, C> {
  readonly #found = new Map<string, C>()
  readonly #shape: Shape<L>
  readonly #make: (labels: Readonly<Record<string, string>>) => C
  #other: C | undefined

  constructor(shape: Shape<L>, make: (labels: Readonly<Record<string, string>>) => C) {
    this.#shape = shape
    this.#make = make
  }

  get all(): readonly C[] {
    return [...this.#found.values(), ...(this.#other === undefined ? [] : [this.#other])]
  }

  /** Its values are in the order of the names. */
  at(values: readonly string[]): C {
    // A `\n` is in none of them that is not hostile; then two of them are one, and the text is whole all the same.
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\n')
    const found = this.#found.get(key)
    if (found !== undefined) return found
    const { labels, limit = Number.POSITIVE_INFINITY } = this.#shape
    if (this.#found.size >= limit) {
      this.#other ??= this.#make(Object.fromEntries(labels.map((name) => [name, OTHER])))
      return this.#other
    }
    const made = this.#make(Object.fromEntries(labels.map((name, i) => [name, values[i] ?? ''])))
    this.#found.set(key, made)
    return made
  }
}

export class FastCounter<L extends string> {
  readonly #shape: Shape<L>
  readonly #cells: Cells<L, Cell>

  constructor(registry: Registry, shape: Shape<L>) {
    this.#shape = shape
    this.#cells = new Cells(shape, (labels) => new Cell(labels))
    register(registry, this.#shape, 'counter', () => this.#cells.all)
  }

  cell(...values: readonly string[]): Cell {
    return this.#cells.at(values)
  }
}

/** What a histogram counts under one combination of labels. */
export class Observations {
  readonly labels: Readonly<Record<string, string>>
  readonly #bounds: readonly number[]
  /** One more than there are bounds. */
  readonly #counts: number[]
  #exemplars: (Exemplar | undefined)[] | undefined
  #sum = 0
  #count = 0

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.labels = labels
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    const at = this.#slot(value)
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#sum += value
    this.#count += 1
  }

  /** Names the trace of one that was observed. `at`: in milliseconds since 1970. */
  remember(value: number, traceId: string, at: number): void {
    this.#exemplars ??= []
    this.#exemplars[this.#slot(value)] = { labelSet: { trace_id: traceId }, value, timestamp: at / 1_000 }
  }

  samples(name: string): Sample[] {
    const samples: Sample[] = []
    let sum = 0
    for (let at = 0; at <= this.#bounds.length; at += 1) {
      sum += this.#counts[at] ?? 0
      const exemplar = this.#exemplars?.[at]
      const labels = { le: this.#bounds[at] ?? '+Inf', ...this.labels }
      samples.push({
        metricName: `${name}_bucket`,
        labels,
        value: sum,
        ...(exemplar === undefined ? {} : { exemplar }),
      })
    }
    samples.push({ metricName: `${name}_sum`, labels: this.labels, value: this.#sum })
    samples.push({ metricName: `${name}_count`, labels: this.labels, value: this.#count })
    return samples
  }

  #slot(value: number): number {
    const bounds = this.#bounds
    let at = 0
    while (at < bounds.length && value > (bounds[at] ?? 0)) at += 1
    return at
  }
}

export class FastHistogram<L extends string> {
  readonly #cells: Cells<L, Observations>

  constructor(registry: Registry, { bounds, ...shape }: Shape<L> & { readonly bounds: readonly number[] }) {
    this.#cells = new Cells(shape, (labels) => new Observations(labels, bounds))
    register(registry, shape, 'histogram', () => this.#cells.all.flatMap((one) => one.samples(shape.name)))
  }

  cell(...values: readonly string[]): Observations {
    return this.#cells.at(values)
  }
}

function register<L extends string>(
  registry: Registry,
  { name, help, labels }: Shape<L>,
  type: Family['type'],
  values: () => readonly Sample[],
): void {
  const get = async (): Promise<Family> => ({ name, help, type, aggregator: 'sum', values: values() })
  const metric = { name, help, type, labelNames: labels, get, reset: () => undefined }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a registry asks its metrics for `name` and `get` alone
  registry.registerMetric(metric as unknown as Metric)
}
