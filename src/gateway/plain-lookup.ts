/** Which listed objects of a mixed bucket lie in plaintext: a listing cannot tell, so each older one is looked at once and remembered. */
import { fromStoredMetadata } from '../format/metadata.ts'
import { plaintextSeen } from '../telemetry/channels.ts'
import { type ObjectStore, StoreError } from '../backends/object-store.ts'

/** An entry of a listing, as the store has it. */
export interface ListedEntry {
  readonly key: string
  readonly etag: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modified: number
  readonly versionId?: string
}

/** Whose listing it is. */
export interface LookupPlace {
  readonly store: ObjectStore
  readonly rules: (bucket: string) => {
    readonly contents: 'sealed' | 'mixed'
    readonly sealedSince: number | undefined
  }
}

/** Requests to the store side by side for one page. */
const PARALLEL = 16
const REMEMBERED = 100_000

/** Answers by bucket, key, ETag, size and time: another object under the name is looked at anew. Least recently used out first. */
export class PlainLookup {
  readonly #known = new Map<string, boolean>()

  /** For each entry whether it is plaintext. */
  async arePlain(at: LookupPlace, bucket: string, entries: readonly ListedEntry[]): Promise<boolean[]> {
    const { contents, sealedSince } = at.rules(bucket)
    const found = entries.map(() => false)
    if (contents !== 'mixed') return found
    let next = 0
    const worker = async (): Promise<void> => {
      for (let i = next++; i < entries.length; i = next++) {
        const entry = entries[i]
        if (entry === undefined || (sealedSince !== undefined && entry.modified >= sealedSince)) continue
        found[i] = await this.#isPlain(at.store, bucket, entry)
      }
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL, entries.length) }, worker))
    return found
  }

  async #isPlain(store: ObjectStore, bucket: string, entry: ListedEntry): Promise<boolean> {
    const { key, etag, size, modified, versionId } = entry
    const id = JSON.stringify([bucket, key, etag, size, modified])
    const known = this.#known.get(id)
    if (known !== undefined) {
      this.#known.delete(id)
      this.#known.set(id, known)
      return known
    }
    const info = await store.head(bucket, key, versionId === undefined ? {} : { versionId }).catch(unlessGone)
    if (info === undefined) return false
    const plain = isForeign(info.metadata)
    if (plain) plaintextSeen.publish({ bucket, key })
    // What was overwritten since the page was made says nothing of the entry.
    if (info.etag === etag) this.#remember(id, plain)
    return plain
  }

  #remember(id: string, plain: boolean): void {
    this.#known.set(id, plain)
    if (this.#known.size <= REMEMBERED) return
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest)
      return
    }
  }
}

/** Deleted since the page was made, where the store keeps a marker of that. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof StoreError)) throw error
}

/** A damaged envelope is no plaintext: it is ours, and reading it will say so. */
function isForeign(metadata: Readonly<Record<string, string>>): boolean {
  try {
    return fromStoredMetadata(metadata) === 'foreign'
  } catch {
    return false
  }
}
