/** Which attempt of each part counts (docs/format.md, "State store"). */
import { type PartInfo, StoreError, type UploadRef } from '../../backends/object-store.ts'
import type { JournalEntry } from '../../state/uploads.ts'
import type { Gateway } from '../gateway.ts'
import { noSuchUpload, type OpenUpload } from './upload-of.ts'

/** The attempts of one part that a Complete may name: the streamed one that the backend has, and the newest held back. */
export interface PartChoices {
  readonly partNumber: number
  readonly streamed: JournalEntry | undefined
  readonly heldBack: JournalEntry | undefined
  /** The newer of the two: what a listing shows. */
  readonly shown: JournalEntry
}

export interface CurrentParts {
  /** By part number, ascending; only parts with an attempt that counts. */
  readonly choices: readonly PartChoices[]
  /** The highest part number that any attempt has used, 0 if none. */
  readonly highest: number
}

/** Reads the journal and the backend's parts. Throws `NoSuchUpload` if the backend no longer knows the upload. */
export async function currentParts(gateway: Gateway, { ref, record }: OpenUpload): Promise<CurrentParts> {
  const entries = await gateway.uploads.attempts(ref, record.objectKey)
  const backend = await backendParts(gateway, ref)
  const byPart = new Map<number, JournalEntry[]>()
  for (const entry of entries) {
    const attempts = byPart.get(entry.partNumber)
    if (attempts === undefined) byPart.set(entry.partNumber, [entry])
    else attempts.push(entry)
  }
  const choices: PartChoices[] = []
  for (const [partNumber, attempts] of byPart) {
    const etag = backend.get(partNumber)?.etag
    const streamed = newest(attempts.filter((one) => !one.heldBack && one.backendEtag === etag))
    const heldBack = newest(attempts.filter((one) => one.heldBack))
    const shown = newest([streamed, heldBack].filter((one) => one !== undefined))
    if (shown !== undefined) choices.push({ partNumber, streamed, heldBack, shown })
  }
  choices.sort((a, b) => a.partNumber - b.partNumber)
  return { choices, highest: entries.reduce((most, entry) => Math.max(most, entry.partNumber), 0) }
}

function newest(entries: readonly JournalEntry[]): JournalEntry | undefined {
  return entries.reduce<JournalEntry | undefined>((best, entry) => {
    if (best === undefined) return entry
    const later = entry.at.getTime() - best.at.getTime()
    return later > 0 || (later === 0 && entry.attempt > best.attempt) ? entry : best
  }, undefined)
}

/** What the backend has by part number. Throws `NoSuchUpload`. */
export async function backendParts(gateway: Gateway, ref: UploadRef): Promise<Map<number, PartInfo>> {
  const found = new Map<number, PartInfo>()
  try {
    for (let after = 0; ; ) {
      const page = await gateway.store.listParts(ref, { after, limit: 1_000 })
      for (const part of page.parts) found.set(part.partNumber, part)
      const last = page.parts.at(-1)
      if (!page.truncated || last === undefined) return found
      after = last.partNumber
    }
  } catch (error) {
    throw error instanceof StoreError && error.refusal === 'no-such-upload' ? noSuchUpload(ref, error) : error
  }
}
