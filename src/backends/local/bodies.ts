/** Counting who needs a body. Everything here runs inside a change of the index. */
import type { Database } from 'lmdb'
import { Internal } from '../../errors.ts'
import type { Tables } from './index-db.ts'
import { type BodyRef, contentOf, decodePieces, encodeCounted, referencesOf } from './rows.ts'

/** A file that no row needs any more: to be removed once the change is committed. */
export interface DroppedFile {
  readonly id: Buffer
  /** The body in pieces it belonged to, if readers may come back for it. */
  readonly owner: Buffer
}

const NO_OWNER = Buffer.alloc(0)

function tableOf(tables: Tables, { kind }: BodyRef): Database<Buffer, Buffer> | undefined {
  return { none: undefined, inline: tables.inline, file: tables.files, pieces: tables.pieces }[kind]
}

/** One more object has this body. */
export function share(tables: Tables, body: BodyRef): void {
  const table = tableOf(tables, body)
  const row = table?.get(body.id)
  if (table === undefined) return
  if (row === undefined) throw new Internal('an object without its body')
  table.putSync(body.id, encodeCounted(referencesOf(row) + 1, [contentOf(row)]))
}

/** One object less has this body; adds the files that nobody needs now to `dropped`. */
export function release(tables: Tables, body: BodyRef, dropped: DroppedFile[]): void {
  const table = tableOf(tables, body)
  const row = table?.get(body.id)
  if (table === undefined || row === undefined) return
  if (referencesOf(row) > 1) {
    table.putSync(body.id, encodeCounted(referencesOf(row) - 1, [contentOf(row)]))
    return
  }
  table.removeSync(body.id)
  if (body.kind === 'file') drop(tables, { id: body.id, owner: NO_OWNER }, dropped)
  if (body.kind !== 'pieces') return
  for (const { id } of decodePieces(contentOf(row))) {
    tables.files.removeSync(id)
    drop(tables, { id, owner: body.id }, dropped)
  }
}

/** Kept in the index until the file is gone, so that a crash in between leaves nothing behind. */
function drop(tables: Tables, file: DroppedFile, dropped: DroppedFile[]): void {
  tables.garbage.putSync(file.id, file.owner)
  dropped.push(file)
}
