/**
 * A folder that a bucket is decrypted into: `objects/` has each object under its key, `unnamed/` those whose key cannot be a path there, and
 * the index says which file is which object. Several processes may fill it, each with a shard of its own.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { appendFile, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Invalid } from '../../errors.ts'
import type { RandomSource } from '../../format/derive.ts'
import { sha256Hex } from '../../format/hash.ts'
import type { DecryptedObject } from '../../gateway/steps/decrypt-object.ts'
import type { Shard } from '../../jobs/shard.ts'
import { explainWrite, writeWhole } from '../whole-file.ts'
import { type Names, pathOfKey } from './file-names.ts'

interface FolderOptions {
  readonly bucket: string
  readonly shard: Shard
  readonly random: RandomSource
}

const MARKER = 'decrypted-bucket.json'
/** Plaintext is for the one who asked for it. */
const PRIVATE = { recursive: true, mode: 0o700 } as const
const ID_BYTES = 16
/** More than a line of the index can be long. */
const LINE_BYTES = 256 * 1024
/** There is a folder where the file should be or a file where a folder, or the file system does not take the name. */
const NOT_A_NAME: ReadonlySet<unknown> = new Set([
  'EEXIST',
  'EISDIR',
  'ENOTDIR',
  'ENOTEMPTY',
  'EINVAL',
  'EILSEQ',
  'ENAMETOOLONG',
])

export class PlaintextFolder {
  /** Of this folder alone: a run into another one, or into a new one of the same name, has nothing to go on from. */
  readonly id: string
  readonly #root: string
  readonly #partial: string
  readonly #index: string
  #ready: Promise<Names> | undefined
  #indexing: Promise<void> = Promise.resolve()
  /** Whether the index ends with a whole line. */
  #whole = false

  /** Makes the folder if it is not there. Throws `Invalid` for one that has anything else in it, or another bucket. */
  constructor(folder: string, { bucket, shard, random }: FolderOptions) {
    this.id = claim(folder, bucket, random)
    this.#root = realpathSync(folder)
    const part = shard.count === 1 ? '' : `-${shard.index}-of-${shard.count}`
    this.#partial = join(this.#root, `partial${part}`)
    this.#index = join(this.#root, `index${part}.jsonl`)
  }

  /** A file appears whole, in the place of what an earlier run made of the same object. Throws what `plaintext` throws, and what `writeWhole` throws. */
  async keep(object: DecryptedObject, plaintext: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    this.#ready ??= this.#begin()
    const names = await this.#ready
    const { key, versionId, isLatest } = object
    const hash = sha256Hex(JSON.stringify(isLatest ? [key] : [key, versionId]))
    const partial = join(this.#partial, hash)
    await writeWhole(partial, plaintext, signal)
    const named = isLatest ? `objects/${pathOfKey(key, names)}` : undefined
    const path = named !== undefined && (await this.#place(partial, named)) ? named : `unnamed/${hash}`
    if (path !== named) await this.#move(partial, path)
    await this.#enter(object, path)
  }

  /** Takes away what only a run under way needs. */
  async end(): Promise<void> {
    await rm(this.#partial, { recursive: true, force: true })
  }

  /** The first object comes only after the run knows that no other process is at this shard: what lies there, one that was killed has left. */
  async #begin(): Promise<Names> {
    try {
      await this.end()
      await mkdir(this.#partial, PRIVATE)
      return await namesOf(this.#partial)
    } catch (error) {
      this.#ready = undefined
      throw explainWrite(error, this.#partial)
    }
  }

  /** Whether the path could be had. */
  async #place(partial: string, path: string): Promise<boolean> {
    try {
      await this.#move(partial, path)
      return true
    } catch (error) {
      if (NOT_A_NAME.has(codeOf(error))) return false
      throw error
    }
  }

  async #move(partial: string, path: string): Promise<void> {
    const target = join(this.#root, path)
    try {
      await mkdir(dirname(target), PRIVATE)
      await rename(partial, target)
    } catch (error) {
      throw NOT_A_NAME.has(codeOf(error)) ? error : explainWrite(error, target)
    }
  }

  /** One line at a time, behind whole lines alone, and on the disk before the object counts as done. */
  #enter({ isLatest, ...object }: DecryptedObject, path: string): Promise<void> {
    const line = `${JSON.stringify({ ...object, path, ...(isLatest ? {} : { latest: false }) })}\n`
    const entered = this.#indexing.then(async () => {
      try {
        if (!this.#whole) await dropBrokenLine(this.#index)
        this.#whole = false
        await appendFile(this.#index, line, { flush: true, mode: 0o600 })
        this.#whole = true
      } catch (error) {
        throw explainWrite(error, this.#index)
      }
    })
    this.#indexing = entered.catch(() => undefined)
    return entered
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

/** The folder's id. */
function claim(folder: string, bucket: string, random: RandomSource): string {
  const marker = join(folder, MARKER)
  try {
    mkdirSync(folder, PRIVATE)
    if (!existsSync(marker)) {
      if (readdirSync(folder).length > 0) throw new Invalid(`${folder} has something else in it; name a new folder`)
      const made = { bucket, id: random(ID_BYTES).toString('hex') }
      writeFileSync(marker, `${JSON.stringify(made)}\n`, { flag: 'wx', mode: 0o600, flush: true })
      return made.id
    }
  } catch (error) {
    // Another shard was first.
    if (codeOf(error) !== 'EEXIST' || !existsSync(marker)) throw explainWrite(error, folder)
  }
  const found = readMarker(marker)
  if (found.bucket === bucket) return found.id
  throw new Invalid(`${folder} has the objects of the bucket "${found.bucket}"; name another folder`)
}

function readMarker(path: string): { readonly bucket: string; readonly id: string } {
  try {
    const found: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof found === 'object' && found !== null && 'bucket' in found && 'id' in found) {
      const { bucket, id } = found
      if (typeof bucket === 'string' && typeof id === 'string') return { bucket, id }
    }
  } catch {
    // As below.
  }
  throw new Invalid(`${path} is not what this command has written; try again, or name a new folder`)
}

/** Tries it out: systems differ, and so do folders within one. */
async function namesOf(folder: string): Promise<Names> {
  const tried = join(folder, 'Trial-\u00e9')
  await (await open(tried, 'w')).close()
  const same = ['trial-\u00e9', 'Trial-e\u0301'].some((name) => existsSync(join(folder, name)))
  await rm(tried)
  return same ? 'folded' : 'exact'
}

/** What a process that was killed, or a full disk, left of a line. */
async function dropBrokenLine(path: string): Promise<void> {
  if (!existsSync(path)) return
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - LINE_BYTES)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    await file.truncate(from + buffer.subarray(0, bytesRead).lastIndexOf('\n') + 1)
  } finally {
    await file.close()
  }
}
