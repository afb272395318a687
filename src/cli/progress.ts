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

/** How far a job is. `total` is unknown while it is counted. */
export interface CountProgress {
  readonly done: number
  readonly total: number | undefined
  /** What stands behind the numbers. */
  readonly text: string
}

/** The same for objects of a job, or for other things by their name, whose number may turn out on the way. */
export function startCountProgress(
  context: CommandContext,
  quiet: boolean,
  what = 'objects',
): { readonly update: (progress: CountProgress) => void; readonly end: () => void } {
  if (quiet || context.stderr.isTTY !== true) return { update: () => undefined, end: () => undefined }
  const bar = new SingleBar(
    { format: `{bar} {of} ${what}  {text}`, stream: context.stderr, hideCursor: true, fps: 4 },
    Presets.shades_classic,
  )
  bar.start(1, 0, { of: '0', text: '' })
  return {
    update: ({ done, total, text }) => {
      bar.setTotal(Math.max(1, total ?? done * 2))
      bar.update(done, { of: total === undefined ? String(done) : `${done}/${Math.max(done, total)}`, text })
    },
    end: () => bar.stop(),
  }
}
