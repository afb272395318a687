/** Keys have one place, and an end. */
import { createCipheriv, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { expand, KEY_BYTES, kidOf } from '../../src/format/derive.ts'
import { outstandingSecrets, takeSecret, takeShortSecret } from '../../src/secret-bytes.ts'
import { collectGarbage } from '../helpers/collect-garbage.ts'
import { startGateway } from '../helpers/gateway.ts'

const isZero = (memory: ArrayBufferLike): boolean => Buffer.from(memory).every((byte) => byte === 0)

test('a secret that nobody can reach is zeroed, and no other', async () => {
  const held = takeSecret(randomBytes(KEY_BYTES))
  const { buffer: memory } = takeSecret(randomBytes(KEY_BYTES))
  expect(isZero(memory)).toBe(false)
  await collectGarbage()
  expect(isZero(memory)).toBe(true)
  expect(isZero(held.buffer)).toBe(false)
})

test('a piece of a secret holds all of it', async () => {
  const piece = takeSecret(randomBytes(KEY_BYTES)).subarray(4, 8)
  await collectGarbage()
  expect(isZero(piece.buffer)).toBe(false)
  const { buffer: memory } = piece
  piece.subarray(0)
  await collectGarbage()
  expect(piece.length).toBe(4)
  expect(isZero(memory)).toBe(false)
})

test('a piece of a piece holds all of it too, and is where the piece says', async () => {
  const bytes = randomBytes(KEY_BYTES)
  const expected = bytes.toString('hex', 6, 8)
  const pieces = [
    takeSecret(Buffer.from(bytes)).subarray(4, 8).subarray(2),
    takeSecret(Buffer.from(bytes)).slice(4).slice(2, 4),
  ]
  await collectGarbage()
  expect(pieces.map((piece) => piece.toString('hex'))).toEqual([expected, expected])
})

test('nothing is derived from zeros: they are a key that was wiped', () => {
  expect(() => expand(Buffer.alloc(KEY_BYTES), 'a', Buffer.alloc(0), 32)).toThrow(Internal)
})

test('a secret that was ended is no key of zeros: nothing takes it', () => {
  const secret = takeSecret(randomBytes(KEY_BYTES))
  secret.dispose()
  secret.dispose()
  expect(secret).toHaveLength(0)
  expect(() => expand(secret, 'a', Buffer.alloc(0), 32)).toThrow(Internal)
  expect(() => kidOf(secret)).toThrow(Internal)
  expect(() => createCipheriv('aes-256-gcm', secret, Buffer.alloc(12))).toThrow('Invalid key length')
})

test('secrets of short lives end together, when none of them is held', async () => {
  const held = takeShortSecret(Buffer.alloc(KEY_BYTES, 1))
  const { buffer: memory } = takeShortSecret(Buffer.alloc(KEY_BYTES, 2))
  expect(held.buffer).toBe(memory)
  await collectGarbage()
  expect(held.equals(Buffer.alloc(KEY_BYTES, 1))).toBe(true)
  const more = Array.from({ length: 100 }, (_, i) => takeShortSecret(Buffer.alloc(KEY_BYTES, i)))
  expect(more.map((secret) => secret[0])).toEqual(more.map((_, i) => i))
  expect(takeShortSecret(Buffer.alloc(10_000, 3)).equals(Buffer.alloc(10_000, 3))).toBe(true)
})

test('the last secret of a short life ends too, although there was room for more', async () => {
  await collectGarbage()
  const { buffer: memory } = takeShortSecret(Buffer.alloc(KEY_BYTES, 2))
  expect(isZero(memory)).toBe(false)
  await collectGarbage()
  expect(isZero(memory)).toBe(true)
})

test('is counted once until it ends', async () => {
  await collectGarbage()
  const before = outstandingSecrets()
  const secret = takeSecret(randomBytes(KEY_BYTES))
  expect(outstandingSecrets()).toBe(before + 1)
  secret.dispose()
  await collectGarbage()
  expect(outstandingSecrets()).toBe(before)
})

test('what was taken from memory that others share is wiped there', () => {
  const shared = Buffer.from('a secret in the pool of small buffers')
  const copy = shared.toString()
  const secret = takeSecret(shared)
  expect(secret.toString()).toBe(copy)
  expect(secret.buffer.byteLength).toBe(secret.length)
  expect(isZero(shared.buffer.slice(shared.byteOffset, shared.byteOffset + shared.length))).toBe(true)
})

test('no log shows a secret, as no JSON does', () => {
  const key = takeSecret(Buffer.from('0123456789abcdef'))
  expect(inspect({ key }, { depth: 9, showHidden: true })).toBe('{ key: <secret> }')
  expect(JSON.stringify({ key })).toBe('{"key":"<secret>"}')
  expect(Buffer.isBuffer(key)).toBe(true)
})

test('a gateway that has served has only the secrets left that it goes on using', async () => {
  const gateway = await startGateway()
  const client = gateway.client()
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
  const serve = async (): Promise<void> => {
    for (let round = 0; round < 20; round++) {
      await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'k', Body: randomBytes(4_096) }))
      await (await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'k' }))).Body?.transformToByteArray()
    }
  }
  await serve()
  await collectGarbage()
  const before = outstandingSecrets()
  await serve()
  await collectGarbage()
  expect(outstandingSecrets()).toBe(before)
  gateway.gateway.keys.close()
  await collectGarbage()
  expect(outstandingSecrets()).toBeLessThan(before)
  await gateway.close()
})
