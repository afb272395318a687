/** What is copied there and back: a real directory tree of at least 2,000 files and 1 GiB from this machine, or a small made-up one. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
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
export function realTree(cache) {
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

/** Some hundred files and 50 MB, with names and sizes that go wrong easily. */
export function smallTree(cache) {
  const path = join(cache, 'small-tree')
  const done = join(path, 'the last file.txt')
  if (!existsSync(done)) {
    rmSync(path, { recursive: true, force: true })
    for (const [name, size] of smallFiles()) {
      mkdirSync(dirname(join(path, name)), { recursive: true })
      writeFileSync(join(path, name), randomBytes(size))
    }
    writeFileSync(done, 'made\n')
  }
  const state = { files: 0, bytes: 0, small: 0 }
  count(path, state)
  return { path, files: state.files, bytes: state.bytes }
}

function* smallFiles() {
  yield ['empty', 0]
  for (const size of [1, 65_535, 65_536, 65_537, 131_072, 1_048_576]) yield [`sizes/${size}`, size]
  for (const name of ['with space', 'plus+percent%25', 'ünïcödé-名前', "quote'&=;", 'deep/er/and/deeper/still'])
    yield [`names/${name}`, 5_000]
  for (let i = 0; i < 240; i += 1) yield [`small/${i % 12}/file-${i}`, 100 + i * 97]
  for (let i = 0; i < 50; i += 1) yield [`medium/file-${i}.bin`, 100_000 + i * 5_003]
  for (let i = 0; i < 3; i += 1) yield [`large/${i}.bin`, 9_000_000 + i * 1_234_567]
}

/** A file of random bytes for multipart transfers, made once: 2 GiB, or 24 MB and a bit if it has to be quick. */
export function bigFile({ cache, quick }) {
  const bytes = quick ? 24_000_001 : 2 * 2 ** 30
  const path = join(cache, quick ? 'small-big' : 'two-gib')
  if (existsSync(path) && statSync(path).size === bytes) return { path, bytes }
  rmSync(path, { force: true })
  const block = randomBytes(Math.min(bytes, 64 * 2 ** 20))
  for (let at = 0; at < bytes; at += block.length) {
    block.writeBigUInt64BE(BigInt(at), 0)
    writeFileSync(path, block.subarray(0, bytes - at), { flag: 'a' })
  }
  return { path, bytes }
}

/** A file of incompressible bytes in one request's or three parts' size, made once. */
export function probeFile({ cache }) {
  const path = join(cache, 'probe')
  if (!existsSync(path)) writeFileSync(path, randomBytes(12_345_678))
  return path
}
