/** What a local store is made of, and how it is opened. */
import { BodyFolders, sweepFolders } from './body-folders.ts'
import { BodyWriter } from './body-writer.ts'
import type { Files } from './files.ts'
import { Garbage } from './garbage.ts'
import type { IndexDb } from './index-db.ts'
import { ObjectReader } from './object-reader.ts'
import { buryDead, Registration } from './processes.ts'

export interface LocalStoreOptions {
  readonly folder: string
  /** Bodies up to this are kept in the index. */
  readonly inlineBytes?: number
  readonly files?: Files
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly random?: (bytes: number) => Buffer
}

/** Measured (bench/local-store.ts): in the index a write of this size costs half of one with a file, and a read a tenth. Larger ones gain less and scatter the index. */
const INLINE_BYTES = 16 * 1024
export interface Parts {
  readonly folder: string
  readonly files: Files
  readonly index: IndexDb
  readonly registration: Registration
  readonly folders: BodyFolders
  readonly writer: BodyWriter
  readonly garbage: Garbage
  readonly reader: ObjectReader
  readonly now: () => number
  readonly random: (bytes: number) => Buffer
}

export const systemRandom = (bytes: number): Buffer => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes)).buffer)

export async function openParts(
  { inlineBytes = INLINE_BYTES }: LocalStoreOptions,
  base: Pick<Parts, 'folder' | 'files' | 'index' | 'now' | 'random'>,
): Promise<Parts> {
  const { folder, files, index, random } = base
  await buryDead(index, files, folder)
  await index.upgrade()
  await sweepFolders(folder, files, index)
  const registration = await Registration.make(random(16), index, files, folder)
  const folders = new BodyFolders({ root: folder, files, index, registration, random })
  const writer = new BodyWriter(folders, registration, inlineBytes)
  const garbage = new Garbage({ root: folder, files, index, token: registration.token })
  garbage.sweep()
  return {
    ...base,
    registration,
    folders,
    writer,
    garbage,
    reader: new ObjectReader({ folder, files, index, garbage }),
  }
}
