/**
 * Which processes write into the folder. Each has a row in the index, and every change that brings a new file requires the row of
 * its writer. So a process that was taken for dead, and whose unfinished files were removed, cannot finish a write afterwards.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Unavailable } from '../../errors.ts'
import { codeOf } from './failures.ts'
import { type Files, removeFile } from './files.ts'
import type { IndexDb, Tables } from './index-db.ts'

/** Who a process is. Fields are empty where the system does not tell. */
interface Identity {
  readonly pid: number
  /** Start time since boot, so that a new process with the same number is another one. */
  readonly started: string
  readonly boot: string
  /** Process ids mean nothing in another namespace (container). */
  readonly namespace: string
}

const BEAT_MS = 30_000
/** A process of another pid namespace that has not touched its file for so long is dead. */
const SILENCE_MS = 300_000

/** This process, registered as a writer of the folder. */
export class Registration {
  readonly token: Buffer
  readonly #index: IndexDb
  readonly #files: Files
  readonly #path: string
  readonly #timer: NodeJS.Timeout

  private constructor(token: Buffer, index: IndexDb, files: Files, path: string) {
    this.token = token
    this.#index = index
    this.#files = files
    this.#path = path
    this.#timer = setInterval(() => void files.touch(path).catch(() => undefined), BEAT_MS).unref()
  }

  static async make(token: Buffer, index: IndexDb, files: Files, folder: string): Promise<Registration> {
    const path = processPath(folder, token)
    await files.mkdir(join(folder, 'processes'))
    await (await files.open(path, 'wx')).close()
    await index.write(() => index.tables.processes.putSync(token, Buffer.from(JSON.stringify(identify()))))
    return new Registration(token, index, files, path)
  }

  /** Inside a change: throws `Unavailable` if another process took this one for dead. */
  require(tables: Tables): void {
    if (tables.processes.get(this.token) === undefined) {
      throw new Unavailable('this process was taken for dead by another one that uses the same folder: restart it')
    }
  }

  /** Shows that the folder can be written to. */
  touch(): Promise<void> {
    return this.#files.touch(this.#path)
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await this.#index.write(() => this.#index.tables.processes.removeSync(this.token))
    await removeFile(this.#files, this.#path)
  }
}

/** Removes the rows of processes that are dead. Their folders are left without a writer, to be swept. */
export async function buryDead(index: IndexDb, files: Files, folder: string): Promise<void> {
  const rows = index.read(() =>
    [...index.tables.processes.getRange({})].map(({ key, value }) => ({ token: key, value })),
  )
  for (const { token, value } of rows) {
    const path = processPath(folder, token)
    if (await isAlive(parseIdentity(value.toString()), () => silence(files, path))) continue
    await index.write(() => index.tables.processes.removeSync(token))
    await removeFile(files, path)
  }
}

function processPath(folder: string, token: Buffer): string {
  return join(folder, 'processes', token.toString('hex'))
}

async function silence(files: Files, path: string): Promise<number> {
  try {
    return await files.age(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return Number.POSITIVE_INFINITY
    throw error
  }
}

async function isAlive(process: Identity, silentFor: () => Promise<number>): Promise<boolean> {
  const self = identify()
  if (process.boot !== self.boot) return false
  if (process.namespace !== self.namespace) return (await silentFor()) < SILENCE_MS
  const started = startOf(process.pid)
  return exists(process.pid) && started !== 'dead' && (started === '' || started === process.started)
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

function identify(): Identity {
  return {
    pid: process.pid,
    started: startOf(process.pid),
    boot: tell(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: tell(() => readlinkSync('/proc/self/ns/pid')),
  }
}

/** Field 22 of /proc/PID/stat; `dead` for a process that only waits for its parent. The name before the fields may hold anything. */
function startOf(pid: number): string {
  const stat = tell(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : (fields[19] ?? '')
}

function tell(look: () => string): string {
  try {
    return look()
  } catch {
    return ''
  }
}

function parseIdentity(text: string): Identity {
  const parsed: Partial<Record<keyof Identity, unknown>> = JSON.parse(text)
  const field = (name: keyof Identity): string => (typeof parsed[name] === 'string' ? parsed[name] : '')
  return { pid: Number(parsed.pid), started: field('started'), boot: field('boot'), namespace: field('namespace') }
}
