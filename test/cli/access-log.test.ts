/** The access log as an operator gets it: presets, standard output or a file, one process or several. */
import { readFileSync, readdirSync, renameSync } from 'node:fs'
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Workplace, type Started } from '../helpers/command.ts'

let place: Workplace
let gateway: Started | undefined
let client: S3Client | undefined
beforeEach(() => {
  place = new Workplace()
})
afterEach(async () => {
  client?.destroy()
  await gateway?.stop()
  gateway = undefined
  place.remove()
})

async function start(env: Readonly<Record<string, string>>): Promise<S3Client> {
  gateway = await place.serve(env)
  const text = readFileSync(place.path('sealgate-data/aws-credentials'), 'utf8')
  const value = (name: string): string => new RegExp(`^${name} = (\\S+)$`, 'm').exec(text)?.[1] ?? ''
  client = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') },
    maxAttempts: 1,
  })
  return client
}

const lines = (): string[] => readFileSync(place.path('access.log'), 'utf8').split('\n').slice(0, -1)

const Bucket = 'sealgate'

async function workWith(s3: S3Client): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'a b/ü.txt', Body: 'hello' }))
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'a b/ü.txt' }))
  await Body?.transformToString()
  await s3.send(new GetObjectCommand({ Bucket, Key: 'none' })).catch(() => undefined)
  await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'none' }] } }))
}

const EXPECTED: Readonly<Record<string, readonly RegExp[]>> = {
  s3: [
    /^(5ea16a7e){8} sealgate \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] 127\.0\.0\.1 \w+ [0-9A-F]{16} REST\.PUT\.OBJECT a%20b\/%C3%BC\.txt "PUT \/sealgate\/a%20b\/%C3%BC\.txt\?x-id=PutObject HTTP\/1\.1" 200 - - 5 \d+ \d+ "-" "aws-sdk-js[^"]+" \S+ \S+ SigV4 - AuthHeader 127\.0\.0\.1:\d+ - - - -$/,
    / REST\.GET\.OBJECT a%20b\/%C3%BC\.txt "GET [^"]+" 200 - 5 5 \d+ \d+ /,
    / REST\.GET\.OBJECT none "GET [^"]+" 404 NoSuchKey \d+ - \d+ \d+ /,
    / REST\.POST\.MULTI_OBJECT_DELETE - "POST [^"]+" 200 - \d+ - /,
  ],
  clf: [
    /^127\.0\.0\.1 - \w+ \[[^\]]+\] "PUT \/sealgate\/a%20b\/%C3%BC\.txt\?x-id=PutObject HTTP\/1\.1" 200 -$/,
    / 200 5$/,
    / 404 \d+$/,
    / 200 \d+$/,
  ],
  combined: [/" 200 - "-" "aws-sdk-js[^"]+"$/, / 200 5 "-" "aws/, / 404 \d+ "-" "aws/, / 200 \d+ "-" "aws/],
  json: [
    /"operation":"PutObject".*"key":"a b\/\\u00fc\.txt".*"status":200,"receivedBytes":5,"sentBytes":0,"objectBytes":5/,
    /"operation":"GetObject".*"sentBytes":5,"objectBytes":5/,
    /"status":404,"code":"NoSuchKey"/,
    /"operation":"DeleteObjects"/,
  ],
}

describe('the access log', () => {
  test.each(Object.keys(EXPECTED))('in the format %s says what an SDK did', async (format) => {
    await workWith(await start({ SEALGATE_LOG_ACCESS: format, SEALGATE_LOG_ACCESS_FILE: place.path('access.log') }))
    await gateway?.stop()
    const [created, ...written] = lines()
    expect(created).toMatch(/REST\.PUT\.BUCKET - |CreateBucket|PUT \/sealgate\/? /)
    expect(written).toHaveLength(4)
    EXPECTED[format]?.forEach((pattern, at) => expect(written[at]).toMatch(pattern))
  })

  test('goes to standard output without a file', async () => {
    const s3 = await start({ SEALGATE_LOG_ACCESS: 'clf' })
    let text = ''
    gateway?.process.stdout?.on('data', (piece: Buffer) => (text += piece.toString()))
    await workWith(s3)
    await gateway?.stop()
    expect(text.match(/^127\.0\.0\.1 - .* 200 5$/gm)).toHaveLength(1)
  })

  test('of several workers is one file of whole lines, exchanged at its size and when somebody else renames it', async () => {
    const s3 = await start({
      SEALGATE_LOG_ACCESS: 'json',
      SEALGATE_LOG_ACCESS_FILE: place.path('access.log'),
      SEALGATE_LOG_ACCESS_ROTATE_AT: '1MiB',
      SEALGATE_SERVER_WORKERS: '2',
    })
    const Key = 'k'.repeat(1_000)
    const missed = (): Promise<unknown> => s3.send(new GetObjectCommand({ Bucket, Key })).catch(() => undefined)
    for (let round = 0; round < 24; round += 1) await Promise.all(Array.from({ length: 25 }, missed))
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    renameSync(place.path('access.log'), place.path('taken.log'))
    await missed()
    await gateway?.stop()
    const files = readdirSync(place.folder).filter((name) => /^(access|taken)\.log/.test(name))
    expect(files.toSorted()).toEqual(['access.log', 'access.log.1', 'taken.log'])
    const all = files.flatMap((name) => readFileSync(place.path(name), 'utf8').split('\n').slice(0, -1))
    expect(all).toHaveLength(601)
    expect(new Set(all.map((line) => (JSON.parse(line) as { requestId: string }).requestId)).size).toBe(601)
    expect(lines()).toHaveLength(1)
  }, 60_000)
})
