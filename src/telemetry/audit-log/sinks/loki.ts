/** The push API of Grafana Loki: one stream for each chain, each line with its time in nanoseconds. */
import type { Sink } from '../sink-feed.ts'
import { HttpSender, type HttpSinkOptions } from './http.ts'
import { timeOf } from './line-fields.ts'

export interface LokiOptions extends HttpSinkOptions {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly tenant?: string | undefined
}

export function lokiSink(options: LokiOptions): Sink {
  const { name, labels, tenant } = options
  const sender = new HttpSender(options, {
    'content-type': 'application/json',
    ...(tenant === undefined ? {} : { 'x-scope-orgid': tenant }),
  })
  return {
    name,
    deliver: async (lines) => {
      const values = lines.map((line) => [nanoseconds(timeOf(line)), line])
      const { status } = await sender.post(
        '/loki/api/v1/push',
        JSON.stringify({ streams: [{ stream: labels, values }] }),
      )
      return status < 300 ? 0 : lines.length
    },
    close: () => sender.close(),
  }
}

const nanoseconds = (time: string): string => `${Date.parse(time)}000000`
