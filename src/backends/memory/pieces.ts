/** Bodies as lists of buffers in memory. */
import { Invalid } from '../../errors.ts'
import type { Body } from '../body.ts'
import { type ByteRange, StoreError } from '../object-store.ts'

/** Everything a body yields, copied: whoever sends may use its buffers again. Stops when the signal is aborted, even if the source is silent. */
export async function gather(
  body: Body,
  { length, limit, signal }: { length: number | undefined; limit: number; signal: AbortSignal | undefined },
): Promise<Buffer[]> {
  let abort = (): void => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => {
      const reason: unknown = signal?.reason
      reject(reason instanceof Error ? reason : new Error('aborted', { cause: reason }))
    }
  })
  aborted.catch(() => undefined)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', abort, { once: true })
  const source = body[Symbol.asyncIterator]()
  const pieces: Buffer[] = []
  let received = 0
  try {
    for (;;) {
      const step = await Promise.race([source.next(), aborted])
      if (step.done === true) break
      received += bytesOf(step.value)
      if (received > (length ?? limit))
        throw new Invalid(`the body is longer than the ${length ?? limit} bytes that were announced or are allowed`)
      for (const piece of step.value) if (piece.length > 0) pieces.push(Buffer.from(piece))
    }
  } catch (error) {
    // Not awaited: a source that hangs would keep the writer here for ever.
    void source.return?.().then(undefined, () => undefined)
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
  if (length !== undefined && received < length)
    throw new Invalid(`the body ended after ${received} of ${length} bytes`)
  return pieces
}

export function bytesOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}

/** What a get sends, see `GetResult.range`. Refuses `range-not-satisfiable`. */
export function resolveRange(size: number, range: ByteRange | undefined): { first: number; last: number } {
  if (range === undefined) return { first: 0, last: size - 1 }
  if (range.first >= size) throw new StoreError('range-not-satisfiable', `the object has ${size} bytes`, size)
  return { first: range.first, last: Math.min(range.last ?? size - 1, size - 1) }
}

/** The bytes `first` to `last` of the pieces. */
export async function* rangeOf(
  pieces: readonly Buffer[],
  { first, last }: { first: number; last: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Buffer[], void, void> {
  let offset = 0
  for (const piece of pieces) {
    const from = Math.max(first - offset, 0)
    const to = Math.min(last + 1 - offset, piece.length)
    offset += piece.length
    if (from >= to) continue
    signal?.throwIfAborted()
    // A copy again: a reader may work in place.
    yield [Buffer.from(piece.subarray(from, to))]
  }
}
