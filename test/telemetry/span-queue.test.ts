import { afterEach, expect, test } from 'vitest'
import { spans, type SpansEvent } from '../../src/telemetry/channels.ts'
import type { Span } from '../../src/telemetry/tracing/span.ts'
import { SpanQueue } from '../../src/telemetry/tracing/span-queue.ts'

const counted: SpansEvent[] = []
const stop = spans.subscribe((event) => void counted.push(event))
afterEach(() => {
  counted.length = 0
})

const some = (count: number): Span[] =>
  Array.from({ length: count }, (_, i) => ({
    traceId: 'a'.repeat(32),
    spanId: i.toString(16).padStart(16, '0'),
    parent: undefined,
    name: 'n',
    kind: 'server',
    begun: 0,
    milliseconds: 1,
    attributes: {},
    failed: false,
  }))

const sum = (outcome: SpansEvent['outcome']): number =>
  counted.filter((one) => one.outcome === outcome).reduce((total, one) => total + one.spans, 0)

test('what a silent collector leaves no room for is dropped and counted, and the rest is sent when it speaks', async () => {
  let answer: () => void = () => undefined
  let asked = 0
  const send = (): Promise<void> => {
    asked += 1
    return new Promise((resolve) => {
      answer = resolve
    })
  }
  const queue = new SpanQueue({ send, endpoint: 'here', most: 100, batch: 10, delayMilliseconds: 5 })
  for (let i = 0; i < 1_000; i += 1) queue.add(some(7))
  expect(asked).toBe(1)
  expect(sum('dropped')).toBe(1_000 * 7 - 98)
  const closed = queue.close(5_000)
  const pump = setInterval(() => answer(), 1)
  await closed
  clearInterval(pump)
  expect([sum('exported'), sum('failed')]).toEqual([98, 0])
  queue.add(some(1))
  expect(sum('dropped')).toBe(1_000 * 7 - 97)
})

test('spans go out by themselves, soon and in batches', async () => {
  const batches: number[] = []
  const send = async (batch: readonly Span[]): Promise<void> => void batches.push(batch.length)
  const queue = new SpanQueue({ send, endpoint: 'here', batch: 10, delayMilliseconds: 5 })
  queue.add(some(4))
  queue.add(some(3))
  await expect.poll(() => batches).toEqual([7])
  queue.add(some(25))
  await expect.poll(() => batches).toEqual([7, 10, 10, 5])
  await queue.close(1_000)
})

test('the end waits no longer than it was told to', async () => {
  const queue = new SpanQueue({ send: () => new Promise(() => undefined), endpoint: 'here', batch: 1 })
  queue.add(some(1))
  queue.add(some(2))
  await queue.close(20)
  expect(sum('dropped')).toBe(2)
  stop()
})
