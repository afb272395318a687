/** base64 from bytes to bytes: the text of a key as a string of the language could never be wiped. */
import { ownMemory } from '../secret-bytes.ts'

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const PADDING = 0x3d
const VALUES = new Int8Array(256).fill(-1)
for (const [value, character] of ALPHABET.entries()) VALUES[character] = value

/** In a buffer of its own. */
export function encodeBase64(bytes: Buffer): Buffer {
  const text = ownMemory(Math.ceil(bytes.length / 3) * 4).fill(PADDING)
  for (let at = 0, to = 0; at < bytes.length; at += 3, to += 4) {
    const left = bytes.length - at
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    for (let sextet = 0; sextet < Math.min(left, 3) + 1; sextet++) {
      text[to + sextet] = ALPHABET[(group >> (18 - 6 * sextet)) & 63] ?? 0
    }
  }
  return text
}

/** In a buffer of its own; `undefined` for what `encodeBase64` would not write. */
export function decodeBase64(text: Buffer): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined
  const padding = text.at(-1) !== PADDING ? 0 : text.at(-2) !== PADDING ? 1 : 2
  const bytes = ownMemory((text.length / 4) * 3 - padding)
  for (let at = 0, to = 0; at < text.length; at += 4, to += 3) {
    let group = 0
    for (let sextet = at; sextet < at + 4; sextet++) {
      const value = sextet < text.length - padding ? (VALUES[text[sextet] ?? 0] ?? -1) : 0
      if (value < 0) return undefined
      group = (group << 6) | value
    }
    for (const [place, shift] of SHIFTS.entries()) {
      const byte = (group >> shift) & 0xff
      if (to + place < bytes.length) bytes[to + place] = byte
      // Bits behind the last byte could be anything, and the same key would have many texts.
      else if (byte !== 0) return undefined
    }
  }
  return bytes
}

const SHIFTS = [16, 8, 0]

/** Without padding, in a buffer of its own. */
export function encodeBase64url(bytes: Buffer): Buffer {
  const text = encodeBase64(bytes)
  translate(text, BASE64, BASE64URL)
  const padding = text.indexOf(PADDING)
  return padding < 0 ? text : text.subarray(0, padding)
}

/** In a buffer of its own; `undefined` for what `encodeBase64url` would not write. */
export function decodeBase64url(text: Buffer): Buffer | undefined {
  if (BASE64.some((character) => text.includes(character)) || text.includes(PADDING)) return undefined
  const padded = ownMemory(Math.ceil(text.length / 4) * 4).fill(PADDING)
  text.copy(padded)
  translate(padded, BASE64URL, BASE64)
  try {
    return decodeBase64(padded)
  } finally {
    padded.fill(0)
  }
}

const BASE64 = Buffer.from('+/')
const BASE64URL = Buffer.from('-_')

function translate(text: Buffer, from: Buffer, to: Buffer): void {
  for (const [at, character] of text.entries()) {
    const place = from.indexOf(character)
    if (place >= 0) text[at] = to[place] ?? 0
  }
}
