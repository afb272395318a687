/** Profiles of V8 in pprof's format, gzipped, as `go tool pprof` opens it. */
import type { HeapProfiler, Profiler, Runtime } from 'node:inspector'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type * as format from 'pprof-format'

const compressed = promisify(gzip)

/** What the samples count; the last one is what `pprof` shows. */
interface Kind {
  readonly values: readonly (readonly [type: string, unit: string])[]
  readonly period: readonly [type: string, unit: string]
  readonly periodValue: number
}

interface Frame {
  readonly id: number
  readonly callFrame: Runtime.CallFrame
}

export interface Taken {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly milliseconds: number
}

/** Joins frames of V8 to the tables of a profile, each function and each line once. */
class Tables {
  readonly #pprof: typeof format
  readonly strings: format.StringTable
  readonly functions: format.FunctionInput[] = []
  readonly locations: format.LocationInput[] = []
  readonly samples: format.SampleInput[] = []
  readonly #known = new Map<string, number>()

  constructor(pprof: typeof format) {
    this.#pprof = pprof
    this.strings = new pprof.StringTable()
  }

  location({ functionName, url, lineNumber, columnNumber, scriptId }: Runtime.CallFrame): number {
    const key = `${scriptId} ${functionName} ${lineNumber} ${columnNumber}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const id = this.locations.length + 1
    const line = Math.max(0, lineNumber + 1)
    const name = this.strings.dedup(functionName === '' ? `(anonymous):${line}:${columnNumber + 1}` : functionName)
    this.functions.push({ id, name, systemName: name, filename: this.strings.dedup(url), startLine: line })
    this.locations.push({ id, line: [{ functionId: id, line }] })
    this.#known.set(key, id)
    return id
  }

  encode(kind: Kind, { at, milliseconds }: Taken): Promise<Buffer> {
    const type = ([name, unit]: readonly [string, string]): format.ValueTypeInput => ({
      type: this.strings.dedup(name),
      unit: this.strings.dedup(unit),
    })
    const profile = new this.#pprof.Profile({
      sampleType: kind.values.map(type),
      sample: this.samples,
      location: this.locations,
      function: this.functions,
      timeNanos: BigInt(Math.round(at)) * 1_000_000n,
      durationNanos: BigInt(Math.round(milliseconds)) * 1_000_000n,
      periodType: type(kind.period),
      period: kind.periodValue,
      stringTable: this.strings,
    })
    return compressed(profile.encode())
  }
}

/** Not a function: nothing ran. */
const IDLE = '(idle)'
const ROOT = '(root)'

/** `wall`: all time, waiting too; else the time in which something ran. */
export function timeProfile(
  pprof: typeof format,
  { nodes, samples = [], timeDeltas = [], endTime, startTime }: Profiler.Profile,
  {
    wall,
    taken,
    intervalMicroseconds,
  }: { readonly wall: boolean; readonly taken: Taken; readonly intervalMicroseconds: number },
): Promise<Buffer> {
  const counts = new Map<number, { samples: number; nanoseconds: number }>()
  // A delta leads to its sample: what a sample shows lasts until the next one.
  let passed = startTime + (timeDeltas[0] ?? 0)
  for (const [i, id] of samples.entries()) {
    const next = timeDeltas[i + 1]
    const microseconds = Math.max(0, next ?? endTime - passed)
    passed += microseconds
    const found = counts.get(id) ?? { samples: 0, nanoseconds: 0 }
    found.samples += 1
    found.nanoseconds += microseconds * 1_000
    counts.set(id, found)
  }
  const tables = new Tables(pprof)
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  for (const node of nodes) {
    const count = counts.get(node.id)
    if (count === undefined || (!wall && node.callFrame.functionName === IDLE)) continue
    const stack = stackOf(node, (id) => byId.get(parents.get(id) ?? -1))
    tables.samples.push({
      locationId: stack.map(({ callFrame }) => tables.location(callFrame)),
      value: [count.samples, Math.round(count.nanoseconds)],
    })
  }
  const name = wall ? 'wall' : 'cpu'
  return tables.encode(
    {
      values: [
        ['samples', 'count'],
        [name, 'nanoseconds'],
      ],
      period: [name, 'nanoseconds'],
      periodValue: intervalMicroseconds * 1_000,
    },
    taken,
  )
}

/** Innermost first, without the root that all have. */
function stackOf<T extends Frame>(node: T, parentOf: (id: number) => T | undefined): readonly T[] {
  const stack: T[] = []
  for (let at: T | undefined = node; at !== undefined; at = parentOf(at.id)) {
    if (at.callFrame.functionName !== ROOT) stack.push(at)
  }
  return stack
}

/** What was allocated and is still in use, by who has allocated it. */
export function heapProfile(
  pprof: typeof format,
  { head }: HeapProfiler.SamplingHeapProfile,
  { taken, intervalBytes }: { readonly taken: Taken; readonly intervalBytes: number },
): Promise<Buffer> {
  const tables = new Tables(pprof)
  // By hand: a stack of frames may be deeper than ours.
  const open: { readonly node: HeapProfiler.SamplingHeapProfileNode; readonly stack: readonly number[] }[] = [
    { node: head, stack: [] },
  ]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { node, stack } = next
    const own = node.callFrame.functionName === ROOT ? stack : [tables.location(node.callFrame), ...stack]
    if (node.selfSize > 0) tables.samples.push({ locationId: [...own], value: [node.selfSize] })
    for (const child of node.children) open.push({ node: child, stack: own })
  }
  const space = ['inuse_space', 'bytes'] as const
  return tables.encode({ values: [space], period: ['space', 'bytes'], periodValue: intervalBytes }, taken)
}
