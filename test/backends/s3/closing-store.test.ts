/** A store that ends the connection after its answer, while the reader is slow: undici asserts there, and the process must live. */
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { s3Store } from '../../helpers/s3-store.ts'

const BYTES = 8 * 1024 * 1024
let server: Server | undefined

afterEach(() => server?.close())

async function answering(connection: string, sent: number): Promise<string> {
  server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: ${BYTES}\r\nConnection: ${connection}\r\n\r\n`)
      socket.end(Buffer.alloc(sent))
    })
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

async function readSlowly(endpoint: string): Promise<number> {
  const store = s3Store({ endpoint })
  try {
    let bytes = 0
    for await (const batch of (await store.get('b', 'k')).body) {
      for (const piece of batch) bytes += piece.length
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return bytes
  } finally {
    await store.close()
  }
}

test.each(['close', 'keep-alive'])('a whole answer is whole (%s)', async (connection) => {
  expect(await readSlowly(await answering(connection, BYTES))).toBe(BYTES)
})

test.each(['close', 'keep-alive'])('one that is cut is an outage (%s)', async (connection) => {
  await expect(readSlowly(await answering(connection, BYTES - 100_000))).rejects.toMatchObject({ kind: 'unavailable' })
})
