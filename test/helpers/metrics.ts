import type { RequestEvent } from '../../src/telemetry/channels.ts'
import { Meter } from '../../src/telemetry/meter.ts'
import type { Scrape } from '../../src/telemetry/metrics/exposition.ts'

/** Samples of one scrape, as they stand in the text. */
export async function samples({ scrape }: { readonly scrape: Scrape }, accept?: string): Promise<string[]> {
  const { text } = await scrape(accept)
  return text.split('\n').filter((line) => /^[^#]/.test(line))
}

/** The value of one, by its name and labels as they stand there; `undefined` if it is not there. */
export function valueOf(lines: readonly string[], name: string): number | undefined {
  const line = lines.find((one) => one.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1).split(' ')[0])
}

/** The end of a read, or of what `changes` make of it. */
export function requestEvent(
  changes: Partial<RequestEvent> = {},
  meter: Partial<Omit<Meter, 'key'>> = {},
): RequestEvent {
  return {
    requestId: 'R',
    hostId: 'H',
    at: 1_000_000,
    client: () => {
      throw new Error('nobody asks')
    },
    meter: Object.assign(new Meter(), meter),
    operation: 'GetObject',
    method: 'GET',
    bucket: 'one',
    status: 200,
    disconnected: false,
    milliseconds: 20,
    firstByteMilliseconds: 12,
    ...changes,
  }
}
