/**
 * Removing files that no row needs any more. A reader that has its files open keeps reading; one of a body in many pieces, whose
 * files cannot all be open, holds a pin: a file in `pins/` that keeps the body's files until it is gone.
 */
import { dirname, join } from 'node:path'
import type { DroppedFile } from './bodies.ts'
import { bodyPath, removeIfEmpty } from './body-folders.ts'
import { type Files, removeFile } from './files.ts'
import type { IndexDb } from './index-db.ts'

/** Rows of removed files go together, after so long: losing them in a crash costs a look for files that are gone. */
const FORGET_MS = 200
const AT_ONCE = 16

export interface GarbageContext {
  readonly root: string
  readonly files: Files
  readonly index: IndexDb
  /** Of this process; pins of dead processes do not count. */
  readonly token: Buffer
}

export class Garbage {
  readonly #context: GarbageContext
  #pins = 0
  #removed: Buffer[] = []
  #work: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(context: GarbageContext) {
    this.#context = context
  }

  /** Removes files in the background, after the change that dropped them was committed. */
  collect(dropped: readonly DroppedFile[]): void {
    if (dropped.length === 0) return
    // What cannot be removed now keeps its row and is tried again by the next sweep.
    this.#work = this.#work.then(() => this.#remove(dropped)).catch(() => undefined)
  }

  /** Tries all files that are still to be removed, whoever dropped them. */
  sweep(): void {
    const { index } = this.#context
    this.collect(
      index.read(() => [...index.tables.garbage.getRange({})].map(({ key, value }) => ({ id: key, owner: value }))),
    )
  }

  /** Keeps the files of a body in pieces until the returned function is called. The caller must look the body up again afterwards. */
  async pin(bodyId: Buffer): Promise<() => Promise<void>> {
    const { root, files, token } = this.#context
    const path = join(pinsPath(root), `${bodyId.toString('hex')}.${token.toString('hex')}.${this.#pins++}`)
    await files.mkdir(pinsPath(root))
    await (await files.open(path, 'wx')).close()
    return async () => {
      await removeFile(files, path)
      this.sweep()
    }
  }

  /** Waits for everything under way. */
  async close(): Promise<void> {
    await this.#work
    await this.#forget()
  }

  async #remove(dropped: readonly DroppedFile[]): Promise<void> {
    const { root, files } = this.#context
    const pinned = dropped.some(({ owner }) => owner.length > 0) ? await this.#pinned() : new Set<string>()
    const free = dropped.filter(({ owner }) => !pinned.has(owner.toString('hex')))
    const folders = new Set<string>()
    for (let at = 0; at < free.length; at += AT_ONCE) {
      const ids = free.slice(at, at + AT_ONCE).map(({ id }) => id)
      await Promise.all(ids.map((id) => removeFile(files, bodyPath(root, id))))
      for (const id of ids) folders.add(dirname(bodyPath(root, id)))
      this.#removed.push(...ids)
    }
    for (const path of folders) await removeIfEmpty(files, path)
    this.#timer ??= setTimeout(() => void this.#forget(), FORGET_MS).unref()
  }

  /** Bodies held by pins of living processes. */
  async #pinned(): Promise<Set<string>> {
    const { root, files, index } = this.#context
    await files.mkdir(pinsPath(root))
    const pinned = new Set<string>()
    for (const name of await files.readdir(pinsPath(root))) {
      const [body = '', token = ''] = name.split('.')
      const alive = index.read(() => index.tables.processes.get(Buffer.from(token, 'hex')) !== undefined)
      if (alive) pinned.add(body)
      else await removeFile(files, join(pinsPath(root), name))
    }
    return pinned
  }

  async #forget(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const removed = this.#removed.splice(0)
    if (removed.length === 0) return
    const { index } = this.#context
    try {
      await index.write(() => {
        for (const id of removed) index.tables.garbage.removeSync(id)
      })
    } catch {
      // The rows stay; the next sweep finds the files gone and tries again.
    }
  }
}

function pinsPath(root: string): string {
  return join(root, 'pins')
}
