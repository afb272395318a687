/** Child processes under measurement: the operating system's own accounting (Linux, /proc). */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** The repository: bundles of this file lie in node_modules/.cache/sealgate. */
const here = dirname(fileURLToPath(import.meta.url))
export const ROOT = here.includes('node_modules') ? here.slice(0, here.indexOf('node_modules')) : join(here, '..')

/** User and system time of a process in seconds. The kernel counts in hundredths. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Anonymous memory in bytes: what the process really holds, without file pages. */
export function anonymousBytes(pid: number): number {
  const match = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1] ?? 0) * 1024
}

/** Bytes that read calls have returned to a process, files and sockets together. */
export function bytesRead(pid: number): number {
  return Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0)
}

export interface Running {
  readonly pid: number
  readonly match: RegExpExecArray
  readonly stop: () => Promise<void>
}

/** Starts a process and waits for a line of its output. */
export async function start(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  ready: RegExp,
): Promise<Running> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const match = await awaitLine(child, ready)
  const exit = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  return {
    pid: child.pid ?? 0,
    match,
    stop: async () => {
      child.kill('SIGTERM')
      await exit
    },
  }
}

export interface Sealgate {
  readonly running: Running
  readonly endpoint: string
  /** The file of the credential that its first start made. */
  readonly credentials: string
}

/** A gateway as `npm start` runs it, on a free port, with `data` as its folder; of another checkout if one is named. */
export async function startSealgate(
  data: string,
  { checkout = ROOT, env = {} }: { readonly checkout?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Sealgate> {
  const running = await start(
    [process.execPath, '--single-threaded-gc', join(checkout, 'bin', 'sealgate.mjs'), 'serve'],
    { SEALGATE_DATA: data, SEALGATE_SERVER_LISTEN: '127.0.0.1:0', SEALGATE_ADMIN_LISTEN: 'off', ...env },
    /ready at (http:\/\/\S+)/,
  )
  return { running, endpoint: running.match[1] ?? '', credentials: join(data, 'aws-credentials') }
}

const START_MILLISECONDS = 60_000

function awaitLine(child: ChildProcess, ready: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = ''
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`not ready after ${START_MILLISECONDS} ms:\n${text}`))
    }, START_MILLISECONDS)
    const look = (piece: Buffer): void => {
      text += piece.toString()
      const match = ready.exec(text)
      if (match === null) return
      clearTimeout(late)
      resolve(match)
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.on('exit', (code) => reject(new Error(`ended with ${code} before it was ready:\n${text}`)))
  })
}

/** Bundles a TypeScript file to run with plain Node. */
export async function bundle(source: string): Promise<string> {
  const outfile = join(ROOT, 'node_modules', '.cache', 'sealgate', `${source.replaceAll('/', '-')}.mjs`)
  await build({
    entryPoints: [join(ROOT, source)],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  })
  return outfile
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
