/** The order of S3 listings. */

/**
 * Compares names by their UTF-8 bytes (B83). JavaScript compares UTF-16 units, which puts astral characters (surrogates,
 * D800–DFFF) before U+E000–U+FFFF; by code points, and so by UTF-8, they come after.
 */
export const compareUtf8 = (a: string, b: string): number => {
  const end = Math.min(a.length, b.length)
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return weight(x) - weight(y)
  }
  return a.length - b.length
}

/** Moves the surrogates above all other units. */
const weight = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)
