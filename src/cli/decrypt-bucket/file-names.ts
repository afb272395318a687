/**
 * Keys as paths of files: no two keys have the same path, and none leads out of its folder, whatever a key is made of. What a path
 * cannot say as it is stands in it as `%` and two hex digits, for each byte of UTF-8.
 */

/** What a file system tells apart: every name, or no names that differ by upper and lower case, or by how an accent is composed. */
export type Names = 'exact' | 'folded'

/** `%` is the escape, `\` a separator on some systems, and control characters steer terminals. */
const ESCAPED = /[%\\\p{Cc}]/gu
/** What folds, and what such systems take for something else. */
const ESCAPED_FOLDED = /[^a-z0-9._-]/gu
/** Devices on Windows, with any extension. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/
/** Of a path that nothing takes the place of, such as the end of `a/`. */
const EMPTY = '%'

/** A relative path with `/` between its names. Whether a file system takes it is another question. */
export function pathOfKey(key: string, names: Names): string {
  return key
    .split('/')
    .map((segment) => nameOf(segment, names))
    .join('/')
}

function nameOf(segment: string, names: Names): string {
  if (segment === '') return EMPTY
  if (segment === '.' || segment === '..') return escaped(segment)
  if (names === 'exact') return segment.replace(ESCAPED, escaped)
  const name = segment.replace(ESCAPED_FOLDED, escaped).replace(/\.$/, escaped)
  return DEVICE.test(name) ? `${escaped(name.slice(0, 1))}${name.slice(1)}` : name
}

function escaped(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}
