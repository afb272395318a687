/** What is missing is named in the error, as S3 names it, by every operation and over every store. */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestGateway } from '../helpers/gateway.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { worldsOf } from '../helpers/worlds.ts'

describe.each(Object.entries(worldsOf({})))('over %s', (_name, start) => {
  let running: TestGateway
  let close: () => Promise<void>
  beforeAll(async () => {
    const world = await start()
    running = world.running
    close = () => world.close()
    const s3 = running.client()
    await s3.send(new CreateBucketCommand({ Bucket: 'there' }))
    await s3.send(new PutObjectCommand({ Bucket: 'there', Key: 'a', Body: 'a' }))
  })
  afterAll(() => close())

  const copy = { 'x-amz-copy-source': '/nowhere/a' }
  test.each([
    ['GET', '/nowhere?list-type=2', {}, 'nowhere'],
    ['GET', '/nowhere?location', {}, 'nowhere'],
    ['GET', '/nowhere?uploads', {}, 'nowhere'],
    ['GET', '/nowhere/a', {}, 'nowhere'],
    ['PUT', '/nowhere/a', {}, 'nowhere'],
    ['POST', '/nowhere/a?uploads', {}, 'nowhere'],
    ['PUT', '/nowhere/a', { 'x-amz-copy-source': '/there/a' }, 'nowhere'],
    ['PUT', '/there/a', copy, 'nowhere'],
    ['DELETE', '/nowhere', {}, 'nowhere'],
  ])('%s %s %j: NoSuchBucket with its name', async (method, path, headers, name) => {
    const answer = await send(running, { method, path, headers })
    expect([answer.status, codeOf(answer)]).toEqual([404, 'NoSuchBucket'])
    expect(answer.bytes.toString()).toContain(`<BucketName>${name}</BucketName>`)
  })

  test.each([
    ['GET', '/there/none', {}],
    ['GET', '/there/none', { range: 'bytes=0-1' }],
    ['PUT', '/there/none', { 'if-match': '"0123"' }],
    ['PUT', '/there/a', { 'x-amz-copy-source': '/there/none' }],
  ])('%s %s %j: NoSuchKey with its name', async (method, path, headers) => {
    const answer = await send(running, { method, path, headers })
    expect([answer.status, codeOf(answer)]).toEqual([404, 'NoSuchKey'])
    expect(answer.bytes.toString()).toContain('<Key>none</Key>')
  })
})
