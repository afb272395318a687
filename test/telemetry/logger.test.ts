import { afterEach, beforeEach, expect, test } from 'vitest'
import { alarm, audit, requestDone } from '../../src/telemetry/channels.ts'
import { createLogger, logChannels } from '../../src/telemetry/logger.ts'
import { requestEvent } from '../helpers/request-event.ts'

const lines: string[] = []
let stop: () => void
beforeEach(() => {
  lines.length = 0
  stop = logChannels(createLogger('trace', { write: (line) => void lines.push(line) }))
})
afterEach(() => stop())

const SECRET = 'a secret that came along'

test('what an event carries beside its known fields is not written', () => {
  const cause = Object.assign(new Error('refused', { cause: { token: SECRET } }), { secretAccessKey: SECRET })
  const stray = { authorization: SECRET, headers: { cookie: SECRET }, level: SECRET, msg: SECRET }
  requestDone.publish({ ...requestEvent({ status: 403, code: 'AccessDenied', cause }), ...stray })
  const detail = { ...stray, bucket: 'one' }
  alarm.publish({ what: 'not ready', detail, cause })
  const told = { who: 'token a', peer: '::1', what: 'rewrap', target: 'b', result: 'done' } as const
  audit.publish({ ...told, ...stray })
  expect(lines.join('')).not.toContain(SECRET)
  const [request, ...others] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(Object.keys(request!).toSorted()).toEqual(
    'accessKey bucket code key level method ms msg operation requestId status time why'.split(' '),
  )
  expect(others).toMatchObject([
    { level: 'error', msg: 'not ready', bucket: 'one', why: ['Error: refused', 'not an Error'] },
    { level: 'info', msg: 'audit', who: 'token a', target: 'b' },
  ])
})

test('user agents, referers and signatures are none of its fields', () => {
  requestDone.publish(requestEvent({ client: { userAgent: SECRET, referer: SECRET, target: SECRET } }))
  expect(lines.join('')).not.toContain(SECRET)
})

test('what a client wrote splits no line, tells no terminal anything, and is bounded', () => {
  const hostile = '\r\n{"level":"info"}\u001b[2J\u009b31m\u202e\u2028'
  const cause = new Error(hostile.repeat(100_000))
  requestDone.publish(
    requestEvent({
      key: hostile.repeat(100_000),
      bucket: hostile,
      accessKey: hostile.repeat(100_000),
      status: 500,
      code: 'InternalError',
      cause,
    }),
  )
  alarm.publish({ what: 'x', detail: { path: hostile.repeat(100_000) } })
  for (const line of lines) {
    expect(line).toMatch(/^[\x20-\x7e]+\n$/)
    expect(line.length).toBeLessThan(100_000)
  }
  const [request] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(request).toMatchObject({ bucket: hostile, status: 500 })
})
