import type { Profiler } from '../admin/profiler.ts'
import type { Settings } from '../config/settings.ts'

/** How this process is looked into, while the settings allow it. Nothing of it is loaded before it is asked for. */
export function profilerOf({ admin }: Pick<Settings, 'admin'>, clock: () => number): Profiler | undefined {
  if (!admin.profiling) return undefined
  const load = () => import('../telemetry/profiling/profiler.ts')
  return {
    take: async (kind, milliseconds, signal) => {
      const { takeProfile } = await load()
      return takeProfile({ kind, milliseconds, signal, clock, pprof: () => import('pprof-format') })
    },
    heapBytes: async () => (await load()).heapBytes(),
    snapshot: async function* () {
      const { heapSnapshot } = await load()
      yield* heapSnapshot()
    },
  }
}
