/** Finding an object and opening its body, while others may replace it. */
import { Integrity } from '../../errors.ts'
import type { Body } from '../body.ts'
import { type GetOptions, type GetResult, StoreError } from '../object-store.ts'
import { bodyPath } from './body-folders.ts'
import { once, openSpans, openSpansLater, type Span } from './body-reader.ts'
import { codeOf } from './failures.ts'
import type { Files } from './files.ts'
import type { Garbage } from './garbage.ts'
import type { IndexDb } from './index-db.ts'
import {
  type FoundObject,
  infoOf,
  inlineOf,
  piecesOf,
  preconditionFailed,
  requireObject,
  resolveRange,
} from './objects.ts'
import type { Piece } from './rows.ts'

/** Files of one body that may be open together. */
const OPEN_FILES = 4

export interface ObjectReaderContext {
  readonly folder: string
  readonly files: Files
  readonly index: IndexDb
  readonly garbage: Garbage
}

interface Found extends FoundObject {
  readonly pieces: readonly Piece[]
  readonly inline: Buffer | undefined
}

export class ObjectReader {
  readonly #context: ObjectReaderContext

  constructor(context: ObjectReaderContext) {
    this.#context = context
  }

  /** See `ObjectStore.get`. What the body needs is open, or pinned, when this resolves. */
  async get(bucket: string, key: string, options: GetOptions): Promise<GetResult> {
    let missing: Buffer | undefined
    for (;;) {
      options.signal?.throwIfAborted()
      const found = this.#find(bucket, key, options.versionId)
      if (options.ifMatch !== undefined && options.ifMatch !== found.row.etag) throw preconditionFailed(bucket, key)
      const range = resolveRange(found.row.size, options.range)
      try {
        const body = await this.#open(found, { ...range, signal: options.signal }, () =>
          this.#find(bucket, key, options.versionId),
        )
        if (body !== undefined) return { info: infoOf(found), range, body }
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
        // Replaced between looking up and opening; unless the index still says the same.
        const { id } = found.row.body
        if (missing?.equals(id) === true) {
          throw new Integrity('size mismatch', `a file of ${bucket}/${key} is missing from the store`, { cause: error })
        }
        missing = id
      }
    }
  }

  #find(bucket: string, key: string, versionId: string | undefined): Found {
    const { index } = this.#context
    return index.read(() => {
      const { state, row } = requireObject(index.tables, bucket, key, versionId)
      return { state, row, pieces: piecesOf(index.tables, row), inline: inlineOf(index.tables, row.body) }
    })
  }

  /** `undefined` if the object was replaced before its files were safe. Throws ENOENT if one is gone. */
  async #open(
    { row, pieces, inline }: Found,
    { first, last, signal }: { first: number; last: number; signal: AbortSignal | undefined },
    findAgain: () => Found,
  ): Promise<Body | undefined> {
    if (inline !== undefined) return once([inline.subarray(first, last + 1)])
    const { folder, files, garbage } = this.#context
    const spans = spansOf(folder, pieces, first, last)
    if (spans.length <= OPEN_FILES) return openSpans(files, spans, { signal })
    const release = await garbage.pin(row.body.id)
    try {
      if (findAgain().row.body.id.equals(row.body.id)) return openSpansLater(files, spans, { signal, release })
    } catch (error) {
      await release()
      if (!(error instanceof StoreError)) throw error
      return undefined
    }
    await release()
    return undefined
  }
}

function spansOf(folder: string, pieces: readonly Piece[], first: number, last: number): Span[] {
  const spans: Span[] = []
  let offset = 0
  for (const { id, size } of pieces) {
    const from = Math.max(first - offset, 0)
    const to = Math.min(last - offset, size - 1)
    if (from <= to) spans.push({ path: bodyPath(folder, id), first: from, last: to })
    offset += size
  }
  return spans
}
