/** The bulk API of Elasticsearch and OpenSearch. A document's id is the hash of its line, so that one that is sent twice is there once. */
import { Unavailable } from '../../../errors.ts'
import { hashOf } from '../chain-file.ts'
import type { Sink } from '../sink-feed.ts'
import { HttpSender, type HttpSinkOptions } from './http.ts'
import { timeOf } from './line-fields.ts'

export interface ElasticsearchOptions extends HttpSinkOptions {
  readonly name: string
  /** An index or a data stream. */
  readonly index: string
  readonly apiKey?: string | undefined
}

export function elasticsearchSink(options: ElasticsearchOptions): Sink {
  const { name, index, apiKey } = options
  const sender = new HttpSender(options, {
    'content-type': 'application/x-ndjson',
    ...(apiKey === undefined ? {} : { authorization: `ApiKey ${apiKey}` }),
  })
  return {
    name,
    deliver: async (lines) => {
      let body = ''
      for (const line of lines) {
        body += `{"create":{"_index":"${index}","_id":"${hashOf(line)}"}}\n{"@timestamp":"${timeOf(line)}",${line.slice(1)}\n`
      }
      const { status, text } = await sender.post('/_bulk', body)
      return status < 300 ? refusedIn(text, lines.length) : lines.length
    },
    close: () => sender.close(),
  }
}

interface BulkAnswer {
  readonly errors?: boolean
  readonly items?: readonly Readonly<Record<string, { readonly status?: number }>>[]
}

/** How many were refused for good. Throws `Unavailable` if some may be taken later: all are sent again then. */
function refusedIn(text: string, lines: number): number {
  const answer = parse(text)
  if (answer?.errors === false) return 0
  const statuses = answer?.items?.map((item) => Object.values(item)[0]?.status ?? 0) ?? []
  if (statuses.length !== lines) throw new Unavailable('the bulk API answers with something else')
  if (statuses.some((status) => status === 429 || status >= 500 || status < 200))
    throw new Unavailable('the bulk API has no room for all lines')
  // It has those with a conflict already.
  return statuses.filter((status) => status >= 300 && status !== 409).length
}

function parse(text: string): BulkAnswer | undefined {
  try {
    const answer: BulkAnswer = JSON.parse(text)
    return answer
  } catch {
    return undefined
  }
}
