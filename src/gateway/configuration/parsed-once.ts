/** Kept documents that many requests ask for: none of them may pay for XML that the last one parsed. */
import { S3Error } from '../../s3/errors.ts'

/** The bound on what requests for many buckets can make a process keep, for each kind of document. */
const MOST = 64

/** `parse` for documents that were accepted once, by their bytes. Throws `InternalError` for one that cannot be read any more: no client is to blame. */
export function parsedOnce<T>(parse: (document: Buffer) => T): (document: Buffer) => T {
  const known = new Map<string, { readonly parsed: T }>()
  return (document) => {
    const text = document.toString('latin1')
    const found = known.get(text)
    if (found !== undefined) return found.parsed
    const parsed = readBack(parse, document)
    const [oldest] = known.keys()
    if (known.size >= MOST && oldest !== undefined) known.delete(oldest)
    known.set(text, { parsed })
    return parsed
  }
}

function readBack<T>(parse: (document: Buffer) => T, document: Buffer): T {
  try {
    return parse(document)
  } catch (cause) {
    throw new S3Error('InternalError', { cause })
  }
}
