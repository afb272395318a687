/**
 * Local master keys and the file they rest in, `master-keys.json` (docs/format.md, "Envelope"):
 * `{"version":1,"active":id,"keys":[{"id":hex,"created":RFC 3339,"key":base64url | "kdf":{"name":"scrypt","salt":base64url,"N":…,"r":…,"p":…}}]}`.
 * A `kdf` entry holds no key: the key is derived from a passphrase, once at start, and the id proves that the passphrase is the right one.
 */
import { scrypt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { Invalid, Unavailable } from '../errors.ts'
import { drawn, expand, fromBase64url, KEY_BYTES, type RandomSource, toBase64url } from '../format/derive.ts'
import { replaceSecretFile, writeSecretFile } from './secret-file.ts'

/** 32 uniformly random bytes and the name that wrapped keys call them by. */
export interface MasterKey {
  /** 8 bytes: `X(key, "sealgate/v1/local-id", "", 8)`. */
  readonly id: Buffer
  readonly key: Buffer
  /** RFC 3339. */
  readonly created: string
}

/** New bucket keys are wrapped under `active`; all of them unwrap. */
export interface MasterKeys {
  readonly active: MasterKey
  /** By id in hex. */
  readonly all: ReadonlyMap<string, MasterKey>
}

export interface NewMasterKey {
  readonly random: RandomSource
  /** Milliseconds since 1970. */
  readonly now: number
  /** Derive the key from this instead of keeping it in the file. */
  readonly passphrase?: string
}

const ID_LABEL = 'sealgate/v1/local-id'
const ID_BYTES = 8

/** 128 MiB and about half a second: it runs once, at start. */
const SCRYPT_COST = { N: 131_072, r: 8, p: 1 } as const
/** What a file may ask of this machine: 1 GiB. */
const SCRYPT_MAX_MEMORY = 1 << 30

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
    key: z.string().optional(),
    kdf: kdfSchema.optional(),
  })
  .refine((entry) => (entry.key === undefined) !== (entry.kdf === undefined), 'an entry has either "key" or "kdf"')
const fileSchema = z.strictObject({ version: z.literal(1), active: hexId, keys: z.array(entrySchema).min(1) })

type MasterKeysFile = z.infer<typeof fileSchema>
type MasterKeyEntry = z.infer<typeof entrySchema>
type Kdf = z.infer<typeof kdfSchema>

/** The id of a master key; says nothing about the key to whoever does not have it. */
export function masterIdOf(key: Buffer): Buffer {
  return expand(key, ID_LABEL, Buffer.alloc(0), ID_BYTES)
}

/** Reads the content of a `master-keys.json`. Throws `Invalid`, without quoting any of it, if it is malformed, an id is wrong, or the passphrase is missing or wrong. */
export async function parseMasterKeys(text: string, passphrase?: string): Promise<MasterKeys> {
  const file = parseFile(text)
  const all = new Map<string, MasterKey>()
  for (const entry of file.keys) {
    if (all.has(entry.id)) throw new Invalid(`master keys: ${entry.id} stands there twice`)
    all.set(entry.id, await openEntry(entry, passphrase))
  }
  const active = all.get(file.active)
  if (active === undefined) throw new Invalid(`master keys: the active key ${file.active} is not among the keys`)
  return { active, all }
}

/** As `parseMasterKeys`, from a file. Throws `Invalid` if it is missing, `Unavailable` if it cannot be read. */
export async function readMasterKeysFile(path: string, passphrase?: string): Promise<MasterKeys> {
  return parseMasterKeys(await readText(path), passphrase)
}

/** Writes a new file with one active master key: exclusive, 0600, durable. Throws `Invalid` if the file exists. */
export async function createMasterKeysFile(path: string, fresh: NewMasterKey): Promise<void> {
  const entry = await newEntry(fresh)
  await writeSecretFile(path, render({ version: 1, active: entry.id, keys: [entry] }))
}

/**
 * Adds a master key to an existing file and returns its id in hex. It is used for new bucket keys only with `activate`:
 * where several replicas share one file's content, distribute the new key first and activate it afterwards.
 */
export async function generateMasterKey(
  path: string,
  fresh: NewMasterKey & { readonly activate?: boolean },
): Promise<string> {
  const entry = await newEntry(fresh)
  await replaceSecretFile(path, async () => {
    const text = await readText(path)
    // Opens every entry: a file whose keys do not open is repaired, not extended.
    await parseMasterKeys(text, fresh.passphrase)
    const file = parseFile(text)
    return render({ ...file, active: fresh.activate === true ? entry.id : file.active, keys: [...file.keys, entry] })
  })
  return entry.id
}

function parseFile(text: string): MasterKeysFile {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's message quotes what it read, and that may be a key.
    throw new Invalid('master keys: not valid JSON; expected the content of a master-keys.json')
  }
  const parsed = fileSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const reasons = parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || 'file'}: ${issue.message}`)
  throw new Invalid(`master keys: ${reasons.join('; ')}`)
}

const render = (file: MasterKeysFile): string => `${JSON.stringify(file, null, 2)}\n`

async function openEntry(entry: MasterKeyEntry, passphrase: string | undefined): Promise<MasterKey> {
  const key = entry.kdf === undefined ? decodeKey(entry) : await deriveKey(entry.id, entry.kdf, passphrase)
  const id = masterIdOf(key)
  if (id.toString('hex') !== entry.id) {
    key.fill(0)
    const why = entry.kdf === undefined ? 'the key is damaged: it does not match its id' : 'the passphrase is wrong'
    throw new Invalid(`master keys: ${entry.id}: ${why}`)
  }
  return { id, key, created: entry.created }
}

function decodeKey(entry: MasterKeyEntry): Buffer {
  const decoded = fromBase64url(entry.key ?? '')
  if (decoded?.length !== KEY_BYTES) throw new Invalid(`master keys: ${entry.id}: "key" is not 32 bytes in base64url`)
  // Small buffers share a pool with everything else; a key gets memory of its own, which `close` can wipe.
  const key = Buffer.allocUnsafeSlow(KEY_BYTES)
  decoded.copy(key)
  decoded.fill(0)
  return key
}

async function deriveKey(id: string, kdf: Kdf, passphrase: string | undefined): Promise<Buffer> {
  if (passphrase === undefined)
    throw new Invalid(`master keys: ${id} is derived from a passphrase, and none is configured`)
  const salt = fromBase64url(kdf.salt)
  if (salt === undefined || salt.length < 16)
    throw new Invalid(`master keys: ${id}: "salt" is not base64url of at least 16 bytes`)
  return runScrypt(passphrase, salt, kdf)
}

function runScrypt(passphrase: string, salt: Buffer, cost: Omit<Kdf, 'name' | 'salt'>): Promise<Buffer> {
  const needed = 128 * cost.N * cost.r + 128 * cost.r * cost.p
  if (needed > SCRYPT_MAX_MEMORY)
    return Promise.reject(new Invalid('master keys: the scrypt parameters ask for more than 1 GiB'))
  const { N, r, p } = cost
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, KEY_BYTES, { N, r, p, maxmem: needed + (1 << 20) }, (error, key) => {
      if (error === null) resolve(key)
      else reject(new Unavailable('scrypt failed', { cause: error }))
    })
  })
}

async function newEntry({ random, now, passphrase }: NewMasterKey): Promise<MasterKeyEntry> {
  const created = new Date(now).toISOString()
  if (passphrase === undefined) {
    const key = drawn(random, KEY_BYTES)
    const entry = { id: masterIdOf(key).toString('hex'), created, key: toBase64url(key) }
    key.fill(0)
    return entry
  }
  const salt = drawn(random, 16)
  const key = await runScrypt(passphrase, salt, SCRYPT_COST)
  const id = masterIdOf(key).toString('hex')
  key.fill(0)
  return { id, created, kdf: { name: 'scrypt', salt: toBase64url(salt), ...SCRYPT_COST } }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (missing) throw new Invalid(`master keys: there is no file ${path}`, { cause: error })
    throw new Unavailable(`master keys: cannot read ${path}`, { cause: error })
  }
}
