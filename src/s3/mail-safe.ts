/**
 * User metadata beyond ASCII, as S3 returns it (B59): in the encoded words of RFC 2047. A value is kept as the bytes that came;
 * what they mean is decided when it is read: encoded words are decoded, bytes are UTF-8 or, where they are not, ISO-8859-1.
 */

/** Printable ASCII and tab, which goes through a header as it is. */
const PLAIN = /^[\t\u0020-\u007e]*$/
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/

/** `=?charset*language?B or Q?text?=` (RFC 2047 section 2, RFC 2231 section 5). */
const WORD = /=\?([\w.:-]+)(?:\*[\w-]*)?\?([BbQq])\?([!-~ ]*?)\?=/g
/** A value as a header may carry it; `undefined` if it has characters that nobody could print, which S3 leaves out and counts. `bytes`: one character for each. */
export const mailSafe = (bytes: string): string | undefined => {
  const plain = PLAIN.test(bytes)
  if (plain && !bytes.includes('=?')) return bytes
  const text = decodeWords(plain ? bytes : decodeBytes(bytes))
  if (PLAIN.test(text)) return text
  return CONTROL.test(text) ? undefined : encodeWords(text)
}

const decodeBytes = (bytes: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return bytes
  }
}

/**
 * Words that are none, or of a charset that nobody knows, stay as they are. White space between two words belongs to neither
 * (RFC 2047 section 6.2).
 */
const decodeWords = (text: string): string => {
  let decoded = ''
  let end = 0
  let afterWord = false
  for (const match of text.matchAll(WORD)) {
    const [word, charset = '', encoding = '', encoded = ''] = match
    const meaning = decodeWord(charset, encoding, encoded)
    const gap = text.slice(end, match.index)
    const joined = afterWord && meaning !== undefined && gap.trim() === ''
    decoded += `${joined ? '' : gap}${meaning ?? word}`
    end = match.index + word.length
    afterWord = meaning !== undefined
  }
  return decoded + text.slice(end)
}

const decodeWord = (charset: string, encoding: string, encoded: string): string | undefined => {
  const bytes = encoding.toUpperCase() === 'B' ? decodeBase64(encoded) : decodeQuoted(encoded)
  try {
    return bytes === undefined ? undefined : new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const decodeBase64 = (encoded: string): Buffer | undefined =>
  /^[\w+/]*={0,2}$/.test(encoded) && !encoded.includes('_') ? Buffer.from(encoded, 'base64') : undefined

const decodeQuoted = (encoded: string): Buffer | undefined => {
  if (/=(?![\dA-Fa-f]{2})/.test(encoded)) return undefined
  const text = encoded
    .replaceAll('_', ' ')
    .replace(/=(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(text, 'latin1')
}

/** Bytes of the encoded text of one word, so that the word has at most 75 (RFC 2047 section 2). */
const WORD_TEXT_BYTES = 75 - '=?UTF-8?Q??='.length

/** Text that is mostly ASCII stays legible; other text is shorter in base64. */
const encodeWords = (text: string): string => {
  // Code points, since a word may hold no half of one (RFC 2047 section 5); what they look like together is no matter.
  const characters = Array.from(text)
  const beyond = characters.filter((character) => !PLAIN.test(character)).length
  const encoding = beyond * 2 < characters.length ? 'Q' : 'B'
  return wordsOf(characters, encoding === 'Q' ? quote : toBase64)
    .map((encoded) => `=?UTF-8?${encoding}?${encoded}?=`)
    .join(' ')
}

const toBase64 = (text: string): string => Buffer.from(text).toString('base64')

const quote = (text: string): string =>
  Buffer.from(text)
    .toString('latin1')
    .replace(/[^ -~]|[=?_]/g, (byte) => `=${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
    .replaceAll(' ', '_')

/** Cut in halves until each fits: a character is never divided. */
const wordsOf = (characters: readonly string[], encode: (text: string) => string): string[] => {
  const encoded = encode(characters.join(''))
  if (encoded.length <= WORD_TEXT_BYTES || characters.length === 1) return [encoded]
  const half = Math.floor(characters.length / 2)
  return [...wordsOf(characters.slice(0, half), encode), ...wordsOf(characters.slice(half), encode)]
}
