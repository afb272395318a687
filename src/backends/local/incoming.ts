/** Reading a body to its end under what was promised about it. */
import { Invalid } from '../../errors.ts'
import type { Body } from '../body.ts'

export interface BodyPromise {
  /** Exact bytes, if known. */
  readonly length?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Sizes have 6 bytes in the index. */
export const MAX_BODY_BYTES = 2 ** 48 - 1

/**
 * The batches of a body, checked while they pass: throws `Invalid` as soon as the body is longer than promised, and at its end
 * if it is shorter; throws the signal's reason when it is aborted, even while the source is silent.
 */
export async function* checkedBatches(
  body: Body,
  { length, signal }: BodyPromise,
): AsyncGenerator<readonly Buffer[], void, void> {
  const most = length ?? MAX_BODY_BYTES
  if (most > MAX_BODY_BYTES) throw new Invalid(`a body of ${most} bytes is over the limit of ${MAX_BODY_BYTES} bytes`)
  const source = body[Symbol.asyncIterator]()
  let received = 0
  let ended = false
  try {
    for (;;) {
      const step = await nextOrAbort(source, signal)
      if (step.done === true) break
      for (const piece of step.value) received += piece.length
      if (received > most) throw new Invalid(`the body is longer than the ${most} bytes it was announced with`)
      yield step.value
    }
    ended = true
  } finally {
    // Not awaited: a source that hangs (the reason for an abort) would keep the writer here for ever.
    if (!ended) void source.return?.().then(undefined, () => undefined)
  }
  if (length !== undefined && received < length)
    throw new Invalid(`the body ended after ${received} of ${length} bytes`)
}

/** A listener for each step instead of one race for the whole body: racing against a long-lived promise would keep every step in memory. */
function nextOrAbort(
  source: AsyncIterator<readonly Buffer[]>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<readonly Buffer[]>> {
  if (signal === undefined) return source.next()
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(reasonOf(signal))
    }
    signal.addEventListener('abort', abort, { once: true })
    source
      .next()
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener('abort', abort)
      })
  })
}

/** Why a signal was aborted, as an error. */
export function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
