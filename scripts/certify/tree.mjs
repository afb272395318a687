/** A real directory tree of at least 2,000 files and 1 GiB, taken from what is installed on this machine. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const LEAST_BYTES = 1.05 * 2 ** 30
const LEAST_FILES = 2_000
/** Small files beyond this number are left out: they would test patience. */
const MOST_SMALL_FILES = 4_000
const SMALL = 64 * 1024

const CANDIDATES = [
  dirname(dirname(process.execPath)),
  'node_modules',
  '/usr/local/go',
  join(homedir(), '.pyenv', 'versions'),
  '/usr/lib/go',
  '/usr/lib/python3',
  '/usr/lib/jvm',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/gcc',
  '/usr/share',
  '/usr/lib',
]

/** Copies files into a folder of our own, once; later runs use it again. */
export function findTree() {
  const cache = process.env.CERTIFY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir() || tmpdir(), '.cache'), 'sealgate-certify')
  const path = join(cache, 'tree')
  const state = { path, files: 0, bytes: 0, small: 0 }
  if (existsSync(path)) count(path, state)
  const enough = () => state.bytes >= LEAST_BYTES && state.files >= LEAST_FILES
  for (const [i, candidate] of CANDIDATES.entries()) {
    if (enough()) break
    if (existsSync(candidate)) copyInto(candidate, join(path, String(i)), state, enough)
  }
  if (!enough()) throw new Error(`found only ${state.files} files and ${state.bytes} bytes on this machine`)
  return { path, files: state.files, bytes: state.bytes }
}

function count(folder, state) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) count(path, state)
    else note(statSync(path).size, state)
  }
}

function note(size, state) {
  state.files += 1
  state.bytes += size
  if (size < SMALL) state.small += 1
}

function copyInto(from, to, state, enough) {
  let entries
  try {
    entries = readdirSync(from, { withFileTypes: true })
  } catch {
    return
  }
  for (const entry of entries) {
    if (enough()) return
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) copyInto(source, target, state, enough)
    else if (entry.isFile()) copyOne(source, target, state)
  }
}

function copyOne(source, target, state) {
  const { size } = statSync(source)
  if (size < SMALL && state.small >= MOST_SMALL_FILES) return
  if (existsSync(target)) return
  mkdirSync(dirname(target), { recursive: true })
  try {
    copyFileSync(source, target)
  } catch {
    return
  }
  note(size, state)
}
