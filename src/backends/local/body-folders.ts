/**
 * Where new files go: folders of up to 1,024 files, each with one writing process. A folder has a row in the index, committed before
 * its first file exists, until all its files are either known to the index or gone. After a crash only these folders are searched.
 */
import { dirname, join } from 'node:path'
import { codeOf } from './failures.ts'
import { type Files, type OpenFile, removeFile } from './files.ts'
import type { IndexDb } from './index-db.ts'
import type { Registration } from './processes.ts'
import { BODY_ID_BYTES } from './rows.ts'

const FILES_A_FOLDER = 1_024
const FOLDER_ID_BYTES = BODY_ID_BYTES - 4

/** A place for one new file. */
export interface Slot {
  readonly id: Buffer
  readonly path: string
  readonly folder: BodyFolder
}

interface BodyFolder {
  readonly id: Buffer
  readonly path: string
  next: number
  /** Slots that are neither known to the index nor free again. */
  unsettled: number
  /** Whether a file may be left that could not be removed: then the row stays, for the next sweep. */
  dirty: boolean
  syncing: Promise<void> | undefined
  nextSync: Promise<void> | undefined
}

export interface BodyFoldersContext {
  readonly root: string
  readonly files: Files
  readonly index: IndexDb
  readonly registration: Registration
  readonly random: (bytes: number) => Buffer
}

export class BodyFolders {
  readonly #context: BodyFoldersContext
  readonly #folders = new Set<BodyFolder>()
  #current: BodyFolder | undefined
  #opening: Promise<void> | undefined
  #inlineFolder: Buffer
  #inlineNext = 0

  constructor(context: BodyFoldersContext) {
    this.#context = context
    this.#inlineFolder = context.random(FOLDER_ID_BYTES)
  }

  /** An id for a body without a file of its own. Counted up, so that neighbours in time are neighbours in the index. */
  freshId(): Buffer {
    if (this.#inlineNext > 0xffff_ffff) {
      this.#inlineFolder = this.#context.random(FOLDER_ID_BYTES)
      this.#inlineNext = 0
    }
    return bodyId(this.#inlineFolder, this.#inlineNext++)
  }

  /** Makes the next new file and opens it. */
  async create(): Promise<{ slot: Slot; file: OpenFile }> {
    for (;;) {
      const slot = await this.#slot()
      try {
        return { slot, file: await this.#context.files.open(slot.path, 'wx') }
      } catch (error) {
        await this.discard(slot)
        // Another process removed the folder while it was empty: take a new one.
        if (codeOf(error) !== 'ENOENT') throw error
        if (this.#current === slot.folder) this.#current = undefined
      }
    }
  }

  /** Puts the folder's entries on disk. Calls that meet share one sync. */
  sync({ folder }: Pick<Slot, 'folder'>): Promise<void> {
    if (folder.syncing === undefined) {
      folder.syncing = syncFolder(this.#context.files, folder.path).finally(() => {
        folder.syncing = undefined
      })
      return folder.syncing
    }
    // The one that runs may have begun before our file was there.
    folder.nextSync ??= folder.syncing
      .then(undefined, () => undefined)
      .then(() => {
        folder.nextSync = undefined
        return this.sync({ folder })
      })
    return folder.nextSync
  }

  /** The index knows the file. */
  keep({ folder }: Slot): void {
    folder.unsettled--
    this.#sealIfDone(folder)
  }

  /** The file is not wanted. */
  async discard({ folder, path }: Slot): Promise<void> {
    try {
      await removeFile(this.#context.files, path)
    } catch {
      folder.dirty = true
    }
    folder.unsettled--
    this.#sealIfDone(folder)
  }

  /** Gives back all folders in which nothing is under way. */
  async close(): Promise<void> {
    const done = [...this.#folders].filter(isDone)
    await this.#context.index.write(() => {
      for (const { id } of done) this.#context.index.tables.folders.removeSync(id)
    })
  }

  async #slot(): Promise<Slot> {
    while (this.#current === undefined || this.#current.next === FILES_A_FOLDER) {
      this.#opening ??= this.#open().finally(() => {
        this.#opening = undefined
      })
      await this.#opening
    }
    const folder = this.#current
    const number = folder.next++
    folder.unsettled++
    return { id: bodyId(folder.id, number), path: join(folder.path, String(number)), folder }
  }

  async #open(): Promise<void> {
    const { root, files, index, registration, random } = this.#context
    const id = random(FOLDER_ID_BYTES)
    const path = folderPath(root, id)
    await index.write(() => {
      registration.require(index.tables)
      index.tables.folders.putSync(id, registration.token)
    })
    try {
      await files.mkdir(path)
      await syncFolder(files, dirname(path))
      await syncFolder(files, bodiesPath(root))
    } catch (error) {
      // If this fails too, the next sweep does it.
      await index.write(() => index.tables.folders.removeSync(id)).catch(() => undefined)
      throw error
    }
    this.#current = { id, path, next: 0, unsettled: 0, dirty: false, syncing: undefined, nextSync: undefined }
    this.#folders.add(this.#current)
  }

  #sealIfDone(folder: BodyFolder): void {
    if (folder.next < FILES_A_FOLDER || !isDone(folder)) return
    this.#folders.delete(folder)
    const { index } = this.#context
    // If it fails the row stays, and the folder is searched once more than needed.
    index.write(() => index.tables.folders.removeSync(folder.id)).catch(() => undefined)
  }
}

function isDone(folder: BodyFolder): boolean {
  return folder.unsettled === 0 && !folder.dirty
}

async function syncFolder(files: Files, path: string): Promise<void> {
  const folder = await files.open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function bodyId(folder: Buffer, number: number): Buffer {
  const id = Buffer.alloc(BODY_ID_BYTES)
  folder.copy(id)
  id.writeUInt32BE(number, FOLDER_ID_BYTES)
  return id
}

/** The folder of all bodies. */
export function bodiesPath(root: string): string {
  return join(root, 'bodies')
}

function folderPath(root: string, folderId: Buffer): string {
  const name = folderId.toString('hex')
  return join(bodiesPath(root), name.slice(0, 2), name.slice(2))
}

/** The file of a body. */
export function bodyPath(root: string, id: Buffer): string {
  return join(folderPath(root, id.subarray(0, FOLDER_ID_BYTES)), String(id.readUInt32BE(FOLDER_ID_BYTES)))
}

/** Removes what crashed processes left in their folders: files that the index does not know. */
export async function sweepFolders(root: string, files: Files, index: IndexDb): Promise<void> {
  const { folders, processes } = index.tables
  const orphaned = index.read(() => [...folders.getRange({})].filter(({ value }) => processes.get(value) === undefined))
  for (const { key: id } of orphaned) {
    const path = folderPath(root, id)
    for (const name of await namesIn(files, path)) {
      if (!/^\d{1,9}$/.test(name)) continue
      const file = bodyId(id, Number(name))
      const known = index.read(() => index.tables.files.get(file) ?? index.tables.garbage.get(file))
      if (known === undefined) await removeFile(files, join(path, name))
    }
    await index.write(() => folders.removeSync(id))
    await removeIfEmpty(files, path)
  }
}

async function namesIn(files: Files, path: string): Promise<string[]> {
  try {
    return await files.readdir(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Removes a folder if nothing is in it. */
export async function removeIfEmpty(files: Files, path: string): Promise<void> {
  try {
    await files.rmdir(path)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error) ?? '')) throw error
  }
}
