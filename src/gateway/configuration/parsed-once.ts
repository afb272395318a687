/** Documents that many requests ask for: none of them may pay for XML that the last one parsed. */

/** The bound on what requests for many buckets can make a process keep, for each kind of document. */
const MOST = 64

/** `parse` for documents that come again and again, by their bytes. What it throws is not kept. */
export function parsedOnce<T>(parse: (document: Buffer) => T): (document: Buffer) => T {
  const known = new Map<string, { readonly parsed: T }>()
  return (document) => {
    const text = document.toString('latin1')
    const found = known.get(text)
    if (found !== undefined) return found.parsed
    const parsed = parse(document)
    const [oldest] = known.keys()
    if (known.size >= MOST && oldest !== undefined) known.delete(oldest)
    known.set(text, { parsed })
    return parsed
  }
}
