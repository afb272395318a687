/** What is told of the requests that calls of a store are made of. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Attempt } from '../../../src/backends/s3/client.ts'
import type { Transport } from '../../../src/backends/s3/transport.ts'
import { s3Store } from '../../helpers/s3-store.ts'
import { answer, hang, refuse, reset, ScriptedServer } from '../../helpers/scripted-server.ts'

let server: ScriptedServer
const closes: (() => Promise<void>)[] = []
beforeAll(async () => {
  server = await ScriptedServer.start()
})
afterEach(async () => {
  for (const close of closes.splice(0)) await close()
})
afterAll(() => server.close())

function open(connections = 64) {
  const told: Attempt[] = []
  let transport: Transport | undefined
  const store = s3Store({
    endpoint: server.endpoint,
    connections,
    idleTimeout: 300,
    onAttempt: (attempt) => told.push(attempt),
    onTransport: (made) => {
      transport = made
    },
  })
  closes.push(() => store.close())
  return { store, told, load: () => ({ ...transport?.load }) }
}

test('each request is told, and why it was sent anew', async () => {
  const { store, told, load } = open()
  server.next(reset, refuse(503, 'SlowDown'), answer(200))
  await store.headBucket('b')
  expect(told).toEqual([
    { outcome: 'unanswered', again: 'unanswered' },
    { outcome: 'refused', again: 'transient' },
    { outcome: 'answered' },
  ])
  expect(load()).toEqual({ open: 0, queued: 0 })
})

test('the last of those that fail is not told as one that is sent anew, nor is what the store refuses', async () => {
  const { store, told } = open()
  server.next(refuse(503, 'SlowDown'), refuse(503, 'SlowDown'), refuse(503, 'SlowDown'), refuse(404, 'NoSuchBucket'))
  await expect(store.headBucket('b')).rejects.toThrow()
  expect(await store.headBucket('b')).toBeUndefined()
  expect(told.map(({ again }) => again)).toEqual(['transient', 'transient', undefined, undefined])
})

test('requests that wait for a connection are told from those that have one, and none is left at the end', async () => {
  const { store, load } = open(1)
  server.clear()
  server.otherwise(hang)
  const both = [store.headBucket('b'), store.headBucket('b')].map((one) => one.catch(() => undefined))
  await expect.poll(load).toEqual({ open: 1, queued: 1 })
  await Promise.all(both)
  expect(load()).toEqual({ open: 0, queued: 0 })
})
