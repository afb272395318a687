/** How this process is looked into. */
export interface Profiler {
  readonly take: (kind: TimedKind, milliseconds: number, signal: AbortSignal) => Promise<Uint8Array>
  readonly heapBytes: () => Promise<number>
  readonly snapshot: () => AsyncIterable<Uint8Array>
}

export type TimedKind = 'cpu' | 'wall' | 'heap' | 'event-loop'
