/** The memory of another process, as Linux shows it to whoever started that process. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** Why it cannot be read here; `undefined` if it can. */
export function whyUnreadable(pid: number): string | undefined {
  if (process.platform !== 'linux') return `there is no /proc on ${process.platform}`
  try {
    closeSync(openSync(`/proc/${pid}/mem`, 'r'))
    return undefined
  } catch (error) {
    return String(error)
  }
}

const CHUNK = 1 << 24

/** The names of the needles that lie anywhere in what the process can write. */
export function foundIn(pid: number, needles: ReadonlyMap<string, Buffer>): string[] {
  const found = new Set<string>()
  const overlap = Math.max(...[...needles.values()].map(({ length }) => length)) - 1
  const room = Buffer.alloc(CHUNK + overlap)
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  let seen = 0
  try {
    for (const { start, end } of writableMaps(pid)) {
      for (let at = start; at < end; at += CHUNK) {
        const bytes = readMost(memory, room, at, Math.min(room.length, end - at))
        seen += bytes
        const window = room.subarray(0, bytes)
        for (const [name, needle] of needles) if (window.includes(needle)) found.add(name)
      }
    }
  } finally {
    closeSync(memory)
  }
  if (seen < 1 << 24) throw new Error(`only ${seen} bytes of the process could be read`)
  return [...found]
}

function writableMaps(pid: number): { start: number; end: number }[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+ *(.*)$/.exec(line) ?? []
      // Files that it shares are on the disk, and hold what the store holds.
      if (start === undefined || end === undefined || path?.startsWith('/')) return []
      return [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) }]
    })
}

/** Less where the process gives memory back meanwhile. */
function readMost(memory: number, room: Buffer, at: number, length: number): number {
  try {
    return readSync(memory, room, 0, length, at)
  } catch {
    return 0
  }
}
