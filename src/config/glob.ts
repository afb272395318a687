/** Patterns for bucket names: `*` stands for any run of characters, also none; everything else stands for itself. */
export function globMatches(pattern: string, name: string): boolean {
  const [head = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return pattern === name
  if (!name.startsWith(head)) return false
  let at = head.length
  for (const piece of rest) {
    const found = name.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
