/** Running programs: to their end (`sh`), or as servers on loopback (`serve`). */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'

const LONGEST_MINUTES = 30
const START_SECONDS = 90
const STOP_SECONDS = 20

/** Runs a command and returns its output; throws with the end of it if it fails. */
export function sh(file, args, { env = {}, cwd, input, minutes = LONGEST_MINUTES, uid } = {}) {
  const result = run(file, args, { env, cwd, input, minutes, uid })
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`
  if (result.error) throw result.error
  if (result.status !== 0)
    throw new Error(`${file} ${args.join(' ')} ended with ${result.status}\n${output.slice(-3000)}`)
  return output
}

/** Runs a command that may fail, and returns its exit code and output. */
export function attempt(file, args, options = {}) {
  const result = run(file, args, options)
  if (result.error) throw result.error
  return { status: result.status, output: `${result.stdout ?? ''}${result.stderr ?? ''}` }
}

function run(file, args, { env = {}, cwd, input, minutes = LONGEST_MINUTES, uid }) {
  return spawnSync(file, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    cwd,
    input,
    uid,
    gid: uid,
    timeout: minutes * 60_000,
    maxBuffer: 256 * 1024 * 1024,
  })
}

/** Whether a command can be started at all. */
export function has(file, args = ['--version']) {
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0
}

export function assert(condition, message) {
  if (!condition) throw new Error(message)
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Does `work` again and again until it succeeds, for so many seconds at most; then throws what it threw. */
export async function until(work, seconds) {
  const end = Date.now() + seconds * 1_000
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > end) throw error
      await sleep(100)
    }
  }
}

/** A port of the loopback address that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Whether something answers HTTP at `url`, whatever its status. */
export const answers = (url) =>
  fetch(url).then(
    () => true,
    () => false,
  )

/**
 * Starts a server whose output goes to the file `log` (a pipe would fill up while a client runs), and waits until `ready(log text)`
 * holds. Returns its process id and how to stop it.
 */
export async function serve(file, args, { env = {}, cwd, log, ready }) {
  const out = openSync(log, 'a')
  const child = spawn(file, args, { env: { ...process.env, ...env }, cwd, stdio: ['ignore', out, out] })
  closeSync(out)
  let ended
  const end = new Promise((resolve) => {
    child.on('exit', (code) => resolve((ended = `ended with ${code}`)))
    child.on('error', (error) => resolve((ended = error.message)))
  })
  const stop = async () => {
    if (ended === undefined) child.kill('SIGTERM')
    await Promise.race([end, sleep(STOP_SECONDS * 1000)])
    if (ended === undefined) child.kill('SIGKILL')
    await end
  }
  for (let tries = 0; tries < START_SECONDS * 10; tries += 1) {
    if (ended !== undefined) break
    if (await ready(readFileSync(log, 'utf8'))) return { pid: child.pid, stop }
    await sleep(100)
  }
  await stop()
  throw new Error(`${file} did not start (${ended})\n${readFileSync(log, 'utf8').slice(-2000)}`)
}
