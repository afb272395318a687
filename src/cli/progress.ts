import { Presets, SingleBar } from 'cli-progress'
import type { CommandContext } from './context.ts'

/** Shows how far a transfer is, on a terminal, once it has taken longer than a second. */
export interface Progress {
  add(bytes: number): void
  end(): void
}

const PATIENCE_MILLISECONDS = 1_000
const MIB = 1024 * 1024

/** `total` is bytes; 0 if unknown. */
export function startProgress(context: CommandContext, total: number, quiet: boolean): Progress {
  if (quiet || context.stderr.isTTY !== true) return { add: () => undefined, end: () => undefined }
  const bar = new SingleBar(
    { format: '{bar} {percentage}% {value}/{total} MiB', stream: context.stderr, hideCursor: true },
    Presets.shades_classic,
  )
  let done = 0
  let shown = false
  const timer = setTimeout(() => {
    shown = true
    bar.start(Math.max(1, Math.ceil(total / MIB)), Math.floor(done / MIB))
  }, PATIENCE_MILLISECONDS)
  return {
    add: (bytes) => {
      done += bytes
      if (shown) bar.update(Math.floor(done / MIB))
    },
    end: () => {
      clearTimeout(timer)
      if (shown) bar.stop()
    },
  }
}
