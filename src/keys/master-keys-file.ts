/**
 * The file of local master keys as bytes, `master-keys.json` (docs/format.md, "Envelope"):
 * `{"version":1,"active":id,"keys":[{"id":hex,"created":RFC 3339,"key":base64url | "kdf":{"name":"scrypt","salt":base64url,"N":…,"r":…,"p":…}}]}`.
 * The text of a key never becomes a string of the language, which nobody could wipe: what is parsed as JSON has its place among the
 * keys instead.
 */
import { z } from 'zod'
import { Invalid } from '../errors.ts'
import { KEY_BYTES } from '../format/derive.ts'
import { ownMemory, type SecretBytes, takeSecret } from '../secret-bytes.ts'
import { decodeBase64url, encodeBase64url } from './base64.ts'

const hexId = z.string().regex(/^[0-9a-f]{16}$/, 'an id is 16 lower-case hex digits')
const powerOfTwo = z
  .int()
  .refine((n) => n >= 16_384 && Number.isInteger(Math.log2(n)), 'N is a power of two from 16384')
const kdfSchema = z.strictObject({
  name: z.literal('scrypt'),
  salt: z.string(),
  N: powerOfTwo,
  r: z.int().min(1).max(64),
  p: z.int().min(1).max(16),
})
const entrySchema = z
  .strictObject({
    id: hexId,
    created: z.iso.datetime({ offset: true }),
    // Its place among the keys.
    key: z.int('write the key as base64url').optional(),
    kdf: kdfSchema.optional(),
  })
  .refine((entry) => (entry.key === undefined) !== (entry.kdf === undefined), 'an entry has either "key" or "kdf"')
const fileSchema = z.strictObject({ version: z.literal(1), active: hexId, keys: z.array(entrySchema).min(1) })

export type MasterKeyEntry = z.infer<typeof entrySchema>
export type Kdf = z.infer<typeof kdfSchema>

export interface MasterKeysFile {
  readonly version: 1
  /** An id. */
  readonly active: string
  /** `key` is a place in the list below. */
  readonly keys: readonly MasterKeyEntry[]
  /** `undefined` for what is not 32 bytes in base64url. */
  readonly secrets: readonly (SecretBytes | undefined)[]
}

/** Throws `Invalid`, without quoting any of it, for what is not the content of such a file. The content stays as it is. */
export function parseMasterKeysFile(content: Buffer): MasterKeysFile {
  const { text, secrets } = withoutKeys(content)
  const refused = (why: string): Invalid => {
    endAll(secrets)
    return new Invalid(`master keys: ${why}`)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's message quotes what it read, and that may be a key.
    throw refused('not valid JSON; expected the content of a master-keys.json')
  }
  const parsed = fileSchema.safeParse(json)
  if (parsed.success) return { ...parsed.data, secrets }
  const reasons = parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || 'file'}: ${issue.message}`)
  throw refused(reasons.join('; '))
}

/** In memory of its own, to be wiped once it is written. */
export function renderMasterKeysFile({ version, active, keys, secrets }: MasterKeysFile): Buffer {
  const marked = keys.map((entry) => (entry.key === undefined ? entry : { ...entry, key: `#${entry.key}` }))
  const text = `${JSON.stringify({ version, active, keys: marked }, null, 2)}\n`
  const pieces = text.split(PLACE).map((piece, at) => {
    if (at % 2 === 0) return Buffer.from(piece)
    return encodeBase64url(secrets[Number(piece)] ?? ownMemory(0))
  })
  const whole = ownMemory(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let end = 0
  for (const piece of pieces) {
    piece.copy(whole, end)
    piece.fill(0)
    end += piece.length
  }
  return whole
}

/** Ends the keys of a file that nobody needs. */
export function endAll(secrets: MasterKeysFile['secrets']): void {
  for (const secret of secrets) secret?.dispose()
}

/** Within the JSON that we write, where a key belongs. */
const PLACE = /(?<=\n +"key": ")#(\d+)(?=")/
const NAME = Buffer.from('"key"')
const QUOTE = 0x22
const COLON = 0x3a
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d])

/**
 * Within a JSON string quotes would be escaped, so that a quoted `key` with a colon behind it is a name. One spelled in some other way
 * is left where it is, and then refused.
 */
function withoutKeys(content: Buffer): { text: string; secrets: (SecretBytes | undefined)[] } {
  const secrets: (SecretBytes | undefined)[] = []
  const pieces: string[] = []
  let end = 0
  for (let name = content.indexOf(NAME); name >= 0; name = content.indexOf(NAME, name + NAME.length)) {
    const colon = afterSpaces(content, name + NAME.length)
    const open = afterSpaces(content, colon + 1)
    if (content[colon] !== COLON || content[open] !== QUOTE) continue
    const close = content.indexOf(QUOTE, open + 1)
    if (close < 0) continue
    pieces.push(content.toString('utf8', end, open), String(secrets.length))
    secrets.push(keyFrom(content.subarray(open + 1, close)))
    end = close + 1
  }
  return { text: pieces.join('') + content.toString('utf8', end), secrets }
}

function afterSpaces(content: Buffer, from: number): number {
  let at = from
  while (SPACES.has(content[at] ?? 0)) at += 1
  return at
}

function keyFrom(text: Buffer): SecretBytes | undefined {
  const bytes = decodeBase64url(text)
  const key = bytes === undefined ? undefined : takeSecret(bytes)
  if (key?.length === KEY_BYTES) return key
  key?.dispose()
  return undefined
}
