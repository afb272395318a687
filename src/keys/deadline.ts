/** A bound on calls of SDKs, which do not all heed the signal that they are given: a login may hang within them. */

/** What `work` comes to, or a rejection with the signal's reason when the time is over. */
export async function withinTime<T>(milliseconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const reason = new DOMException(`no answer within ${milliseconds} ms`, 'TimeoutError')
      reject(reason)
      ending.abort(reason)
    }, milliseconds)
  })
  try {
    return await Promise.race([work(ending.signal), over])
  } finally {
    clearTimeout(timer)
  }
}
