/** The command as a user runs it: a process of its own, in a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keepOutput, minted } from './outputs.ts'

export const BIN = fileURLToPath(new URL('../../bin/sealgate.mjs', import.meta.url))

/** Names what test/helpers/bundle-setup.ts has made once for a run: `BIN` makes it at each start, which is more than half of what most commands take. */
export const PROGRAM = 'TESTED_PROGRAM'

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcess
  readonly ended: Promise<Ran>
  /** So far. */
  readonly stdout: () => string
}

export interface Started {
  readonly process: ChildProcess
  readonly endpoint: string
  readonly stderr: () => string
  /** Sends SIGTERM and resolves with the exit code. */
  readonly stop: () => Promise<number | null>
}

export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), 'sealgate-test-'))
  readonly #env: Readonly<Record<string, string>>
  readonly #bin: string

  /** Every command gets `env`; the listeners take free ports unless it says otherwise. `bin` is run in place of the program of this checkout. */
  constructor(env: Readonly<Record<string, string>> = {}, bin = process.env[PROGRAM] ?? BIN) {
    this.#env = { SEALGATE_SERVER_LISTEN: '127.0.0.1:0', SEALGATE_ADMIN_LISTEN: 'off', ...env }
    this.#bin = bin
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  run(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): Promise<Ran> {
    return this.begin(args, env, input).ended
  }

  /** Does not wait for its end. */
  begin(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): Running {
    const child = this.#spawn(args, env)
    const out = collect(child)
    child.stdin?.end(input)
    const ended = new Promise<Ran>((resolve) => child.on('close', (code) => resolve({ code, ...out() })))
    return { process: child, ended, stdout: () => out().stdout }
  }

  /** Starts the gateway and waits for its endpoint. */
  async serve(env: Readonly<Record<string, string>> = {}): Promise<Started> {
    const child = this.#spawn(['serve'], env)
    const out = collect(child)
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    for (;;) {
      const match = /ready at (\S+)/.exec(out().stdout)
      if (match?.[1] !== undefined) {
        const stop = async (): Promise<number | null> => {
          child.kill('SIGTERM')
          return ended
        }
        return { process: child, endpoint: match[1], stderr: () => out().stderr, stop }
      }
      if (child.exitCode !== null) throw new Error(`serve ended with ${child.exitCode}: ${out().stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }

  remove(): void {
    mintFrom(this.path('sealgate-data'))
    rmSync(this.folder, { recursive: true, force: true })
  }

  #spawn(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SEALGATE_')))
    return spawn(process.execPath, [this.#bin, ...args], {
      cwd: this.folder,
      env: { ...inherited, ...this.#env, ...env },
    })
  }
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (piece: Buffer) => {
      text[name] += piece.toString()
      keepOutput(piece.toString(), `${name}-${child.pid}`)
    })
  }
  return () => ({ ...text })
}

/** What a first start made in a folder of data. */
function mintFrom(data: string): void {
  const read = (name: string): string => {
    try {
      return readFileSync(join(data, name), 'utf8')
    } catch {
      return ''
    }
  }
  for (const [, key] of read('master-keys.json').matchAll(/"key": "([\w-]{43})"/g))
    minted('a master key', Buffer.from(key!, 'base64url'))
  for (const [, key] of read('aws-credentials').matchAll(/aws_secret_access_key = (\S{40})/g))
    minted('the secret access key of a first start', key!)
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
