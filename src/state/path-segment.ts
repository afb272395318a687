/** One path segment for any namespace: its UTF-8 bytes, all but `[a-z0-9.-]` percent-encoded, also a leading dot (docs/format.md, "State store"). */
export function pathSegment(namespace: string): string {
  const escape = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  const plain = (byte: number, at: number): boolean =>
    /[a-z0-9.-]/.test(String.fromCharCode(byte)) && !(at === 0 && byte === 0x2e)
  return Array.from(Buffer.from(namespace), (byte, at) =>
    plain(byte, at) ? String.fromCharCode(byte) : escape(byte),
  ).join('')
}
