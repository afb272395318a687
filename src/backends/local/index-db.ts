/** The index: one LMDB environment with a few tables, shared by all processes that have the folder open. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import { Invalid, Unavailable } from '../../errors.ts'
import { failureAt, openingFailure } from './failures.ts'
import { checkIndexFiles } from './index-files.ts'

type Table = Database<Buffer, Buffer>

export interface Tables {
  /** bucket -> created ‖ state (`buckets.ts`). */
  readonly buckets: Table
  /** `documentKey` -> a configuration of a bucket. */
  readonly documents: Table
  /** `objectKey` -> `ObjectRow`. The current version of the key; none if that is a delete marker. */
  readonly objects: Table
  /** `versionKey` -> `ObjectRow` of a version that is not current, or of a delete marker. */
  readonly versions: Table
  /** `objectKey` -> sequence (8 bytes) of the null version of that key, if its row is in `versions`. */
  readonly nulls: Table
  /** body id -> references ‖ bytes. */
  readonly inline: Table
  /** body id -> references. A file without a row here is none of the store's. */
  readonly files: Table
  /** body id -> references ‖ `Piece`s, whose files it owns. */
  readonly pieces: Table
  /** upload id -> `UploadRow`. */
  readonly uploads: Table
  /** `uploadOrderKey` -> nothing. */
  readonly uploadOrder: Table
  /** `partKey` -> `StoredRow`. */
  readonly parts: Table
  /** id of a file that no row needs any more -> id of the body in pieces that readers may still hold, or nothing. */
  readonly garbage: Table
  /** id of a folder that takes new files -> token of the process that writes there. */
  readonly folders: Table
  /** token -> who that process is (JSON). */
  readonly processes: Table
}

/** 2 added attributes and versions to the rows of objects and buckets; the rows of 1 are read as they are. */
const FORMAT = '2'
const OLDER_FORMAT = '1'
const FORMAT_KEY = Buffer.from('format')

/** Address space only. Beyond it lmdb-js maps anew while it runs, doubling each time; the file holds what is used. */
const MAP_BYTES = 2 ** 34
const MAX_READERS = 512

const BINARY = { encoding: 'binary', keyEncoding: 'binary' } as const

const SETTINGS = {
  ...BINARY,
  maxDbs: 24,
  maxReaders: MAX_READERS,
  mapSize: MAP_BYTES,
  noSubdir: false,
  permissionsMode: 0o600,
  // By default lmdb-js resolves a commit before it is on disk. Without it, a commit syncs the pages and then writes the root with O_DSYNC.
  overlappingSync: false,
  // Batches by event turn leave a promise of their own, which nobody can catch, rejected when a commit fails (disk full): it would end the process.
  eventTurnBatching: false,
}

export class IndexDb {
  readonly tables: Tables
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #folder: string
  #closed = false

  private constructor(root: RootDatabase<Buffer, Buffer>, folder: string) {
    const table = (name: string): Table => root.openDB<Buffer, Buffer>(name, BINARY)
    this.#root = root
    this.#folder = folder
    this.tables = {
      buckets: table('buckets'),
      documents: table('documents'),
      objects: table('objects'),
      versions: table('versions'),
      nulls: table('nulls'),
      inline: table('inline'),
      files: table('files'),
      pieces: table('pieces'),
      uploads: table('uploads'),
      uploadOrder: table('upload-order'),
      parts: table('parts'),
      garbage: table('garbage'),
      folders: table('folders'),
      processes: table('processes'),
    }
  }

  /** Makes the index if there is none. Throws `Invalid` for a format or a place that cannot be used, `Unavailable` if the disk is full. */
  static async open(folder: string): Promise<IndexDb> {
    try {
      const path = join(folder, 'index')
      checkComplete(folder, path)
      mkdirSync(path, { recursive: true, mode: 0o700 })
      checkIndexFiles(path)
      const root = open<Buffer, Buffer>({ path, ...SETTINGS })
      try {
        await checkFormat(root, folder)
        return new IndexDb(root, folder)
      } catch (error) {
        await root.close()
        throw error
      }
    } catch (error) {
      throw openingFailure(folder, error)
    }
  }

  /** Runs `look` on what is committed now, by any process. It must not wait for anything: one snapshot lasts for one turn. */
  read<T>(look: () => T): T {
    this.#checkOpen()
    try {
      // lmdb-js keeps a snapshot until the turn ends, which may be older than a commit of another process that our client knows of.
      this.#root.resetReadTxn()
      return look()
    } catch (error) {
      throw failureAt(this.#folder, error)
    }
  }

  /**
   * Runs `change` alone among all processes and commits it; resolves when it is on disk. If it throws, nothing of it is kept. It must
   * be synchronous. Changes that arrive while another commit is on its way to the disk share the next commit.
   */
  async write<T>(change: () => T): Promise<T> {
    this.#checkOpen()
    try {
      return await this.#root.childTransaction(change)
    } catch (error) {
      throw failureAt(this.#folder, await causeOf(error))
    }
  }

  /** Marks an index of the older format as one of this, so that older programs leave it alone. Throws `Unavailable` while processes use it: they may be such programs. */
  async upgrade(): Promise<void> {
    const table = formatTable(this.#root)
    const isOld = (): boolean => table.get(FORMAT_KEY)?.toString() === OLDER_FORMAT
    if (!this.read(isOld)) return
    await this.write(() => {
      if (!isOld()) return
      if (this.tables.processes.getCount() > 0) {
        throw new Unavailable(
          `the store in ${this.#folder} has format ${OLDER_FORMAT} and a process of an earlier version uses it: stop that first`,
        )
      }
      table.putSync(FORMAT_KEY, Buffer.from(FORMAT))
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#root.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw new Unavailable(`the store in ${this.#folder} is closed`)
  }
}

/** A commit that failed names its cause in a promise, which must be handled. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error
  try {
    await error.commitError
    return error
  } catch (cause) {
    return cause
  }
}

/** An index is made before the first body: bodies alone are what is left of a store. */
function checkComplete(folder: string, path: string): void {
  const bodies = join(folder, 'bodies')
  if (existsSync(bodies) && readdirSync(bodies).length > 0 && !existsSync(join(path, 'data.mdb'))) {
    throw new Invalid(
      `${folder} holds bodies without their index (${path}): restore it from a backup, or choose another folder`,
    )
  }
}

async function checkFormat(root: RootDatabase<Buffer, Buffer>, folder: string): Promise<void> {
  const table = formatTable(root)
  const known = table.get(FORMAT_KEY)
  const found = (known ?? (await root.childTransaction(() => foundOrMade(table)))).toString()
  if (found !== FORMAT && found !== OLDER_FORMAT) {
    throw new Invalid(
      `the store in ${folder} has format ${found}, this version writes format ${FORMAT}: use the version that wrote it, or another folder`,
    )
  }
}

const formatTable = (root: RootDatabase<Buffer, Buffer>): Table => root.openDB<Buffer, Buffer>('format', BINARY)

function foundOrMade(table: Table): Buffer {
  const found = table.get(FORMAT_KEY)
  if (found !== undefined) return found
  const made = Buffer.from(FORMAT)
  void table.put(FORMAT_KEY, made)
  return made
}
