/** Removing files that no row needs any more, after the change that dropped them was committed. */
import { bodyPath } from './body-folders.ts'
import type { DroppedFile } from './bodies.ts'
import { type Files, removeFile } from './files.ts'
import type { IndexDb } from './index-db.ts'

export class Garbage {
  readonly #root: string
  readonly #files: Files
  readonly #index: IndexDb
  /** Bodies in pieces that readers of this process are in the middle of, and what waits for them. */
  readonly #held = new Map<string, { readers: number; waiting: Buffer[] }>()
  readonly #running = new Set<Promise<void>>()

  constructor(root: string, files: Files, index: IndexDb) {
    this.#root = root
    this.#files = files
    this.#index = index
  }

  /** A reader will open files of this body later. Returns the function that ends the hold. */
  hold(owner: Buffer): () => void {
    const id = owner.toString('hex')
    const hold = this.#held.get(id) ?? { readers: 0, waiting: [] }
    hold.readers += 1
    this.#held.set(id, hold)
    let held = true
    return () => {
      if (!held) return
      held = false
      hold.readers -= 1
      if (hold.readers > 0) return
      this.#held.delete(id)
      this.#remove(hold.waiting)
    }
  }

  /** Removes files, those that readers still need when the last of them is done. Returns at once. */
  collect(dropped: readonly DroppedFile[]): void {
    const now: Buffer[] = []
    for (const { id, owner } of dropped) (this.#held.get(owner.toString('hex'))?.waiting ?? now).push(id)
    this.#remove(now)
  }

  /** Removes what a crash left to be removed. Files of bodies in pieces stay while other processes live that may read them. */
  async sweep(alone: boolean): Promise<void> {
    const rows = this.#index.read(() => [...this.#index.tables.garbage.getRange({})])
    const ids = rows.filter(({ value }) => alone || value.length === 0).map(({ key }) => key)
    await this.#removeNow(ids)
  }

  /** Resolves when nothing is being removed. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #remove(ids: readonly Buffer[]): void {
    if (ids.length === 0) return
    // What fails stays in the index as garbage, for the next start.
    const running = this.#removeNow(ids)
      .catch(() => undefined)
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async #removeNow(ids: readonly Buffer[]): Promise<void> {
    for (const id of ids) await removeFile(this.#files, bodyPath(this.#root, id))
    if (ids.length === 0) return
    await this.#index.write(() => {
      for (const id of ids) this.#index.tables.garbage.removeSync(id)
    })
  }
}
