/**
 * Orders two well-formed strings as their UTF-8 encodings order: by code point. JavaScript's own `<` orders by UTF-16 unit,
 * which puts U+10000 and above (surrogates, 0xD800 to 0xDFFF) before U+E000 to U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const common = Math.min(a.length, b.length)
  for (let i = 0; i < common; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return codePointRank(left) - codePointRank(right)
  }
  return a.length - b.length
}

function codePointRank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800
  return unit >= 0xd800 ? unit + 0x2000 : unit
}
