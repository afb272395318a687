/** Commands in this process, against servers that misbehave. */
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'

let folder = ''
let closing: (() => unknown)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealgate-test-'))
})
afterEach(() => {
  for (const close of closing) close()
  closing = []
  rmSync(folder, { recursive: true, force: true })
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Resolves with what the command printed. */
async function run(
  args: readonly string[],
  stopSignal: Promise<string> = new Promise(() => undefined),
): Promise<string> {
  const stdout = new PassThrough()
  const env = {
    SEALGATE_DATA: join(folder, 'data'),
    SEALGATE_CREDENTIALS: JSON.stringify([
      { accessKey: 'test', secretKey: 'test-secret', allow: [{ buckets: ['*'], actions: 'read-write' }] },
    ]),
  }
  await createProgram({ env, stdout, stderr: new PassThrough(), stopSignal, onHangup: () => undefined }).parseAsync([
    'node',
    'sealgate',
    ...args,
  ])
  return String(stdout.read() ?? '')
}

const target = (): string => join(folder, 'target')

test('a get that is stopped ends at once and leaves the old file alone', async () => {
  let begun = (): void => undefined
  const started = new Promise<string>((resolve) => {
    begun = () => resolve('SIGINT')
  })
  const endpoint = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('half')
    setTimeout(begun, 50)
  })
  writeFileSync(target(), 'old')
  await expect(run(['get', 's3://files/a', target(), '--endpoint', endpoint], started)).rejects.toThrow(
    'stopped by SIGINT',
  )
  expect(readFileSync(target(), 'utf8')).toBe('old')
  expect(readdirSync(folder)).toEqual(['target'])
})

test('a get that is cut short says so and leaves no file', async () => {
  const endpoint = await serve((_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('half')
    setTimeout(() => response.destroy(), 20)
  })
  await expect(run(['get', 's3://files/a', target(), '--endpoint', endpoint])).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('after 4 of 1000 bytes'),
  })
  expect(readdirSync(folder)).toEqual([])
})

test('a get whose length nobody can check is refused', async () => {
  const endpoint = await serve((_, response) => response.writeHead(200).end('chunked'))
  await expect(run(['get', 's3://files/a', target(), '--endpoint', endpoint])).rejects.toThrow('how long')
  expect(readdirSync(folder)).toEqual([])
})

test('a get through a link changes the file and keeps the link', async () => {
  const endpoint = await serve((_, response) => response.writeHead(200, { 'content-length': '3' }).end('new'))
  writeFileSync(join(folder, 'real'), 'old')
  symlinkSync('real', target())
  await run(['get', 's3://files/a', target(), '--endpoint', endpoint])
  expect(lstatSync(target()).isSymbolicLink()).toBe(true)
  expect(readFileSync(join(folder, 'real'), 'utf8')).toBe('new')
})

test('what could only be misread is refused before anything is sent', async () => {
  let requests = 0
  const endpoint = await serve((_, response) => {
    requests += 1
    response.end()
  })
  const wrong = [
    ['get', 's3://files/a', target(), '--range', 'abc'],
    ['put', folder, 's3://files/a'],
    ['put', target(), 's3://files/a'],
    ['put', '-', 's3://files/a', '--part-size', '1MiB'],
    ['ls', '--ca-file', join(folder, 'none')],
    ['presign', 's3://files/a', '--expires', '8d'],
  ]
  for (const args of wrong)
    await expect(run([...args, '--endpoint', endpoint])).rejects.toMatchObject({ kind: 'invalid' })
  await expect(run(['ls', '--endpoint', '127.0.0.1:8080'])).rejects.toMatchObject({ kind: 'invalid' })
  expect(requests).toBe(0)
})

test('a key cannot steer the terminal, and JSON has it as it is', async () => {
  const endpoint = await serve((_, response) =>
    response.end('<R><Contents><Key>a&#x1B;[2Jb</Key><Size>1</Size></Contents></R>'),
  )
  expect(await run(['ls', 's3://files', '--endpoint', endpoint])).toContain('a\\x1b[2Jb')
  expect(JSON.parse(await run(['ls', 's3://files', '--json', '--endpoint', endpoint]))).toMatchObject({
    key: 'a\u001b[2Jb',
  })
})
