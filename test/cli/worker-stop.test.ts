/** Several processes end together, whenever they are told to. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { childrenOf } from '../helpers/children.ts'
import { BIN, Workplace } from '../helpers/command.ts'

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const ENV = { SEALGATE_SERVER_WORKERS: '2', SEALGATE_SERVER_SHUTDOWN_GRACE: '1s' }

/** Starts the gateway and waits until it has `workers` processes below it; they may not have begun to serve. */
async function started(place: Workplace) {
  const env = { ...process.env, ...ENV, SEALGATE_SERVER_LISTEN: '127.0.0.1:0', SEALGATE_ADMIN_LISTEN: 'off' }
  const child = spawn(process.execPath, [BIN, 'serve'], { cwd: place.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (out += piece.toString()))
  const primary = child.pid ?? 0
  await expect.poll(() => childrenOf(primary).length, { timeout: 30_000, interval: 20 }).toBe(2)
  return { child, primary, workers: childrenOf(primary), ended, out: () => out }
}

test.runIf(process.platform === 'linux').each([0, 600, 1_600])(
  'a stop %i ms after the workers were forked ends all of them',
  async (wait) => {
    const place = new Workplace()
    const { child, workers, ended } = await started(place)
    await new Promise((resolve) => setTimeout(resolve, wait))
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    expect(workers.filter(lives)).toEqual([])
    place.remove()
  },
  60_000,
)

test.runIf(process.platform === 'linux').each([600, 4_000])(
  'workers do not outlive a primary that is killed %i ms after it forked them',
  async (wait) => {
    const place = new Workplace()
    const { primary, workers, ended } = await started(place)
    await new Promise((resolve) => setTimeout(resolve, wait))
    process.kill(primary, 'SIGKILL')
    await expect.poll(() => workers.filter(lives), { timeout: 15_000 }).toEqual([])
    await ended
    place.remove()
  },
  60_000,
)
