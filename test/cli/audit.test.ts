/** The audit log as an operator gets it: of one process or several, and `audit verify`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Workplace } from '../helpers/command.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace({ SEALGATE_AUDIT_FOLDER: 'audit' })
})
afterEach(() => place.remove())

const Bucket = 'one'

/** Starts it, reads `requests` times and stops it. */
async function serve(env: Readonly<Record<string, string>>, requests = 1): Promise<void> {
  const gateway = await place.serve(env)
  const text = readFileSync(place.path('sealgate-data/aws-credentials'), 'utf8')
  const value = (name: string): string => new RegExp(`^${name} = (\\S+)$`, 'm').exec(text)?.[1] ?? ''
  const client = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') },
  })
  await client.send(new CreateBucketCommand({ Bucket })).catch(() => undefined)
  await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'hello' }))
  await Promise.all(Array.from({ length: requests }, () => client.send(new GetObjectCommand({ Bucket, Key: 'k' }))))
  client.destroy()
  await gateway.stop()
}

const files = (): string[] =>
  readdirSync(place.path('audit'))
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
const linesOf = (name: string): string[] =>
  readFileSync(place.path(`audit/${name}`), 'utf8')
    .split('\n')
    .slice(0, -1)

describe('the audit log', () => {
  test('of one process goes on in a new file after a restart, and verifies', async () => {
    await serve({ SEALGATE_AUDIT_POLICY: 'block' })
    await serve({})
    const [first = '', second = ''] = files()
    expect(files()).toHaveLength(2)
    expect(first).toMatch(/^audit-[A-Za-z0-9.-]+-0-000001\.jsonl$/)
    const kinds = linesOf(first).map((line) => JSON.parse(line) as { kind: string; what?: string })
    expect(kinds.map(({ kind, what }) => what ?? kind)).toEqual([
      'begin',
      'CreateBucket',
      'PutObject',
      'GetObject',
      'end',
    ])
    const whole = await place.run(['audit', 'verify', 'audit'])
    expect(whole).toMatchObject({ code: 0, stderr: '' })
    expect(whole.stdout).toMatch(
      new RegExp(`^audit/${first}: whole, 5 lines, head [0-9a-f]{64}\\naudit/${second}: whole, `),
    )
    const head = /head ([0-9a-f]{64})/.exec(whole.stdout)?.[1] ?? ''
    expect((await place.run(['audit', 'verify', '--head', head, `audit/${first}`])).code).toBe(0)
    expect(await place.run(['audit', 'verify', '--head', head, `audit/${second}`])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('no line has the hash'),
    })
    const changed = linesOf(first).with(2, linesOf(first)[2]!.replace('PutObject', 'GetObject'))
    writeFileSync(place.path(`audit/${first}`), changed.map((line) => `${line}\n`).join(''))
    const broken = await place.run(['audit', 'verify', 'audit'])
    expect(broken.code).toBe(4)
    expect(broken.stdout).toContain(`audit/${first}: BROKEN, 5 lines`)
    expect(broken.stdout).toContain('\n  line 3 was changed: line 4 does not follow from it\n')
    expect(broken.stderr).toBe('sealgate: audit chain failure: the chain breaks at 1 places\n')
    const [json = ''] = (await place.run(['audit', 'verify', '--json', 'audit'])).stdout.split('\n')
    expect(JSON.parse(json)).toMatchObject({ faults: [{ line: 3, what: 'changed' }], lines: 5, state: 'ended' })
    expect(await place.run(['audit', 'verify', 'nowhere'])).toMatchObject({ code: 2 })
  }, 60_000)

  test('of several processes is a chain for each', async () => {
    await serve({ SEALGATE_SERVER_WORKERS: '2' }, 50)
    await serve({ SEALGATE_SERVER_WORKERS: '2' })
    const slots = files().map((name) => /-(\d)-(\d{6})\.jsonl$/.exec(name)?.slice(1).join(' '))
    expect(slots).toEqual(['0 000001', '0 000002', '1 000001', '1 000002', '2 000001', '2 000002'])
    const told = files()
      .flatMap(linesOf)
      .filter((line) => line.includes('"what":"GetObject"'))
    expect(told).toHaveLength(51)
    expect((await place.run(['audit', 'verify', 'audit'])).code).toBe(0)
  }, 60_000)

  test('goes to standard output besides where it is told to', async () => {
    const { stdout } = await runFor({ SEALGATE_AUDIT_SINKS: '[{"type":"stdout"}]' })
    const [name = ''] = files()
    for (const line of linesOf(name)) expect(stdout).toContain(`${line}\n`)
  })

  test('that cannot be begun keeps the gateway from starting', async () => {
    writeFileSync(place.path('audit'), 'a file')
    expect(await place.run(['serve'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('the audit log cannot be written to audit'),
    })
  })
})

async function runFor(env: Readonly<Record<string, string>>): Promise<{ readonly stdout: string }> {
  const running = place.begin(['serve'], env)
  await expect.poll(() => running.stdout(), { timeout: 10_000 }).toContain('ready at')
  running.process.kill('SIGTERM')
  return running.ended
}
