/** The commands against a running gateway, and offline. */
import { createHash, randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ran, type Started, Workplace } from '../helpers/command.ts'
import { flip } from '../helpers/tamper.ts'

const place = new Workplace()
/** Over 64 MiB: it goes up in parts. */
const big = randomBytes(70_000_000)
let gateway: Started

beforeAll(async () => {
  gateway = await place.serve({ SEALGATE_SERVER_CUSTOMER_KEYS_OVER_HTTP: 'true' })
  writeFileSync(place.path('big'), big)
  writeFileSync(place.path('note'), 'a note')
  await client('put', 'big', 's3://files/big', '--create-bucket')
})
afterAll(async () => {
  await gateway.stop()
  place.remove()
})

const client = (command: string, ...args: string[]): Promise<Ran> =>
  place.run([command, ...args, '--endpoint', gateway.endpoint])

describe('put, get, ls, rm, presign', () => {
  test('a file goes up in parts and comes back as it was', async () => {
    const ran = await client('get', 's3://files/big', 'back')
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    expect(readFileSync(place.path('back')).equals(big)).toBe(true)
    expect(readdirSync(place.folder).filter((name) => name.includes('partial'))).toEqual([])
  })

  test('listings show exact sizes', async () => {
    const ran = await client('ls', 's3://files/', '--json')
    expect(JSON.parse(ran.stdout)).toMatchObject({
      key: 'big',
      size: big.length,
      etag: expect.stringMatching(/-5"$/),
    })
    expect((await client('ls', '--json')).stdout).toContain('"bucket":"files"')
  })

  test('a presigned URL works without a credential, for its method alone', async () => {
    const { stdout } = await client('presign', 's3://files/big', '--expires', '1m')
    const answer = await fetch(stdout.trim())
    const hash = createHash('sha256')
      .update(Buffer.from(await answer.arrayBuffer()))
      .digest('hex')
    expect(hash).toBe(createHash('sha256').update(big).digest('hex'))
    expect((await fetch(stdout.trim(), { method: 'DELETE' })).status).toBe(403)
  })

  test('rm takes one object, or all below a prefix', async () => {
    await Promise.all(['rm/a', 'rm/b', 'rm/c'].map((key) => client('put', 'note', `s3://files/${key}`)))
    expect((await client('rm', 's3://files/rm/a')).code).toBe(0)
    expect(JSON.parse((await client('rm', 's3://files/rm/', '-r', '--json')).stdout)).toMatchObject({ deleted: 2 })
    expect((await client('ls', 's3://files/rm/')).stdout).toBe('')
  })

  test('what is missing or wrong has its exit code and says what', async () => {
    const missing = await client('get', 's3://files/none', 'none')
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('NoSuchKey')])
    expect(existsSync(place.path('none'))).toBe(false)
    expect((await client('get', 'files/none', 'none')).code).toBe(2)
    expect((await place.run(['ls', '--endpoint', 'http://127.0.0.1:9'])).code).toBe(3)
    expect((await place.run(['nonsense'])).code).toBe(2)
    expect((await place.run(['--help'])).code).toBe(0)
  })
})

describe('inspect and decrypt', () => {
  beforeAll(async () => {
    await place.run(['inspect', 's3://files/big', '--export', 'raw'])
  })
  const decrypt = (folder: string, ...more: string[]): Promise<Ran> =>
    place.run(['decrypt', folder, '-o', `${folder}.out`, ...more])
  const copyRaw = (name: string): void => {
    mkdirSync(place.path(name), { recursive: true })
    for (const file of ['body', 'object.json']) copyFileSync(place.path(`raw/${file}`), place.path(`${name}/${file}`))
  }

  test('an exported object opens without the gateway', async () => {
    const ran = await decrypt('raw')
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    expect(readFileSync(place.path('raw.out')).equals(big)).toBe(true)
    expect(readFileSync(place.path('raw/body')).includes(big.subarray(0, 64))).toBe(false)
  })

  test('with its metadata lost, by the envelope in its body', async () => {
    copyRaw('lost')
    rmSync(place.path('lost/object.json'))
    expect((await decrypt('lost')).code).toBe(2)
    expect((await decrypt('lost', '--recover')).code).toBe(0)
    expect(readFileSync(place.path('lost.out')).equals(big)).toBe(true)
  })

  test('a flipped bit and another key are integrity failures, and no file appears', async () => {
    copyRaw('flipped')
    writeFileSync(place.path('flipped/body'), flip(readFileSync(place.path('raw/body')), 20_000_000))
    expect((await decrypt('flipped')).code).toBe(4)
    const other = new Workplace()
    await (await other.serve()).stop()
    copyRaw('stranger')
    const file = other.path('sealgate-data/master-keys.json')
    expect((await decrypt('stranger', '--master-keys', file)).code).toBe(4)
    // What does not open is shown and exported all the same.
    const locked = await place.run(['inspect', 's3://files/big', '--json', '--export', 'locked'], {
      SEALGATE_KEYS_MANAGERS: JSON.stringify({ local: { type: 'local', file } }),
    })
    expect([locked.code, locked.stderr]).toEqual([4, expect.stringContaining('unwrap failure')])
    expect(JSON.parse(locked.stdout)).toMatchObject({ key: 'big', opens: false, provider: 'l' })
    expect(readFileSync(place.path('locked/body')).equals(readFileSync(place.path('raw/body')))).toBe(true)
    other.remove()
    for (const name of ['flipped.out', 'stranger.out']) expect(existsSync(place.path(name))).toBe(false)
    expect(readdirSync(place.folder).filter((name) => name.includes('partial'))).toEqual([])
  })

  test('an object under a customer’s key is told as such, and opens with that key alone', async () => {
    const key = randomBytes(32)
    const credentials = readFileSync(place.path('sealgate-data/aws-credentials'), 'utf8')
    const field = (name: string): string => new RegExp(`${name} *= *(\\S+)`).exec(credentials)?.[1] ?? ''
    const s3 = new S3Client({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: field('aws_access_key_id'), secretAccessKey: field('aws_secret_access_key') },
    })
    const object = { Bucket: 'files', Key: 'customers', SSECustomerAlgorithm: 'AES256' }
    await s3.send(new PutObjectCommand({ ...object, Body: 'theirs', SSECustomerKey: key.toString('base64') }))
    s3.destroy()
    const told = await place.run(['inspect', 's3://files/customers', '--json', '--export', 'customers'])
    expect(told.code).toBe(0)
    expect(JSON.parse(told.stdout)).toMatchObject({ provider: 'c', encryption: expect.stringContaining('SSE-C') })
    writeFileSync(place.path('key.bin'), key)
    writeFileSync(place.path('key.txt'), `${key.toString('base64')}\n`)
    writeFileSync(place.path('other.bin'), randomBytes(32))
    for (const file of ['key.bin', 'key.txt']) {
      expect((await decrypt('customers', '--customer-key', file)).code).toBe(0)
      expect(readFileSync(place.path('customers.out'), 'utf8')).toBe('theirs')
      rmSync(place.path('customers.out'))
    }
    expect((await decrypt('customers', '--customer-key', 'other.bin')).code).toBe(4)
    expect((await decrypt('customers', '--customer-key', 'big')).code).toBe(2)
    expect((await decrypt('raw', '--customer-key', 'key.bin')).code).toBe(2)
    expect(await decrypt('customers')).toMatchObject({ code: 2, stderr: expect.stringContaining('--customer-key') })
    expect(existsSync(place.path('customers.out'))).toBe(false)
  })

  test('inspect tells no secret', async () => {
    const ran = await place.run(['inspect', 's3://files/big', '--json'])
    const { key } = JSON.parse(readFileSync(place.path('sealgate-data/master-keys.json'), 'utf8')).keys[0]
    expect(ran.stdout).toContain('"masterKey"')
    expect(ran.stdout).not.toContain(key)
  })
})

describe('doctor', () => {
  test('passes on a sound gateway, running or not, and cleans up', async () => {
    const listen = gateway.endpoint.replace('http://', '')
    const running = await place.run(['doctor', '--json'], { SEALGATE_SERVER_LISTEN: listen })
    expect([running.code, running.stderr]).toEqual([0, ''])
    expect(running.stdout).toContain('the gateway that is running')
    const own = await place.run(['doctor'])
    expect(own.code).toBe(0)
    expect(own.stdout).toContain('Every check passed')
    expect((await client('ls')).stdout).not.toContain('sealgate-doctor')
  })
})

test('keys generate adds a key, and objects under the old one stay readable', async () => {
  const before = JSON.parse(readFileSync(place.path('sealgate-data/master-keys.json'), 'utf8'))
  const ran = await place.run(['keys', 'generate', '--activate', '--json'])
  const after = JSON.parse(readFileSync(place.path('sealgate-data/master-keys.json'), 'utf8'))
  expect(after.keys).toHaveLength(before.keys.length + 1)
  expect(after.active).toBe(JSON.parse(ran.stdout).id)
  const again = await place.run(['inspect', 's3://files/big', '--json'])
  expect(JSON.parse(again.stdout)).toMatchObject({ masterKey: before.active })
})

test('check-config shows no secret', async () => {
  const ran = await place.run(['check-config', '--json'], {
    SEALGATE_CREDENTIALS: JSON.stringify([
      { accessKey: 'abc', secretKey: 'very-secret-text', allow: [{ buckets: ['*'], actions: 'read-only' }] },
    ]),
    SEALGATE_STATE_TYPE: 's3',
    SEALGATE_STATE_ENDPOINT: 'http://127.0.0.1:1',
    SEALGATE_STATE_PROXY: 'http://user:very-secret-text@proxy:3128',
  })
  expect(ran.code).toBe(0)
  expect(JSON.parse(ran.stdout)).toMatchObject({ credentials: [{ accessKey: 'abc' }] })
  expect(ran.stdout).not.toContain('very-secret-text')
})
