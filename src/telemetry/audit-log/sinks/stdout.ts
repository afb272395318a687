import type { Sink } from '../sink-feed.ts'

/** A stream of this process. */
export function streamSink(stream: NodeJS.WritableStream): Sink {
  return {
    name: 'stdout',
    deliver: (lines) =>
      new Promise((resolve, reject) => {
        stream.write(`${lines.join('\n')}\n`, (error) => (error ? reject(error) : resolve(0)))
      }),
    close: async () => undefined,
  }
}
