/**
 * Local master keys, and how they come from the file they rest in (`master-keys-file.ts`). An entry with `kdf` holds no key: the key is
 * derived from a passphrase, once at start, and the id proves that the passphrase is the right one.
 */
import { scrypt } from 'node:crypto'
import { Invalid, Unavailable } from '../errors.ts'
import { drawn, expand, fromBase64url, KEY_BYTES, type RandomSource, toBase64url } from '../format/derive.ts'
import { type SecretBytes, takeSecret } from '../secret-bytes.ts'
import {
  endAll,
  type Kdf,
  type MasterKeyEntry,
  type MasterKeysFile,
  parseMasterKeysFile,
  renderMasterKeysFile,
} from './master-keys-file.ts'
import { readSecretFile, replaceSecretFile, writeSecretFile } from './secret-file.ts'

/** A passphrase: from a file in bytes, which its owner ends. What came as a string (settings, environment) nobody can wipe. */
export type Passphrase = SecretBytes | string

/** 32 uniformly random bytes and the name that wrapped keys call them by. */
export interface MasterKey {
  /** 8 bytes: `X(key, "sealgate/v1/local-id", "", 8)`. */
  readonly id: Buffer
  readonly key: SecretBytes
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
  readonly passphrase?: Passphrase
}

const ID_LABEL = 'sealgate/v1/local-id'
const ID_BYTES = 8

/** 128 MiB and about half a second: it runs once, at start. */
const SCRYPT_COST = { N: 131_072, r: 8, p: 1 } as const
/** What a file may ask of this machine: 1 GiB. */
const SCRYPT_MAX_MEMORY = 1 << 30

/** Ends them: nobody else may hold them. */
export function endMasterKeys({ all }: MasterKeys): void {
  for (const { key } of all.values()) key.dispose()
}

/** The id of a master key; says nothing about the key to whoever does not have it. */
export function masterIdOf(key: Buffer): Buffer {
  return expand(key, ID_LABEL, Buffer.alloc(0), ID_BYTES)
}

/**
 * Reads the content of a `master-keys.json`, which it wipes where it can. Throws `Invalid`, without quoting any of it, if it is
 * malformed, an id is wrong, or the passphrase is missing or wrong.
 */
export async function parseMasterKeys(content: Buffer | string, passphrase?: Passphrase): Promise<MasterKeys> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  try {
    return await openFile(parseMasterKeysFile(bytes), passphrase)
  } finally {
    bytes.fill(0)
  }
}

/** As `parseMasterKeys`, from a file. Throws `Invalid` if it is missing, `Unavailable` if it cannot be read. */
export async function readMasterKeysFile(path: string, passphrase?: Passphrase): Promise<MasterKeys> {
  return parseMasterKeys(await readContent(path), passphrase)
}

/** Writes a new file with one active master key: exclusive, 0600, durable. Throws `Invalid` if the file exists. */
export async function createMasterKeysFile(path: string, fresh: NewMasterKey): Promise<void> {
  const { entry, secrets } = await newEntry(fresh, 0)
  const content = renderMasterKeysFile({ version: 1, active: entry.id, keys: [entry], secrets })
  endAll(secrets)
  await writeSecretFile(path, content).finally(() => content.fill(0))
}

/**
 * Adds a master key to an existing file and returns its id in hex. It is used for new bucket keys only with `activate`:
 * where several replicas share one file's content, distribute the new key first and activate it afterwards.
 */
export async function generateMasterKey(
  path: string,
  fresh: NewMasterKey & { readonly activate?: boolean },
): Promise<string> {
  let id = ''
  await replaceSecretFile(path, async () => {
    const content = await readContent(path)
    const file = parseMasterKeysFile(content)
    // Opens every entry: a file whose keys do not open is repaired, not extended.
    const opened = await parseMasterKeys(content, fresh.passphrase)
    endMasterKeys(opened)
    const { entry, secrets } = await newEntry(fresh, file.secrets.length)
    id = entry.id
    const extended = { ...file, keys: [...file.keys, entry], secrets: [...file.secrets, ...secrets] }
    try {
      return renderMasterKeysFile(fresh.activate === true ? { ...extended, active: entry.id } : extended)
    } finally {
      endAll(extended.secrets)
    }
  })
  return id
}

async function openFile(file: MasterKeysFile, passphrase: Passphrase | undefined): Promise<MasterKeys> {
  const all = new Map<string, MasterKey>()
  try {
    for (const entry of file.keys) {
      if (all.has(entry.id)) throw new Invalid(`master keys: ${entry.id} stands there twice`)
      all.set(entry.id, await openEntry(entry, file.secrets, passphrase))
    }
    const active = all.get(file.active)
    if (active === undefined) throw new Invalid(`master keys: the active key ${file.active} is not among the keys`)
    return { active, all }
  } catch (error) {
    endAll([...file.secrets, ...[...all.values()].map(({ key }) => key)])
    throw error
  }
}

async function openEntry(
  { id, created, key: place, kdf }: MasterKeyEntry,
  secrets: MasterKeysFile['secrets'],
  passphrase: Passphrase | undefined,
): Promise<MasterKey> {
  const key = kdf === undefined ? secrets[place ?? -1] : await deriveKey(id, kdf, passphrase)
  if (key === undefined) throw new Invalid(`master keys: ${id}: "key" is not 32 bytes in base64url`)
  const own = masterIdOf(key)
  if (own.toString('hex') === id) return { id: own, key, created }
  key.dispose()
  const why = kdf === undefined ? 'the key is damaged: it does not match its id' : 'the passphrase is wrong'
  throw new Invalid(`master keys: ${id}: ${why}`)
}

async function deriveKey(id: string, kdf: Kdf, passphrase: Passphrase | undefined): Promise<SecretBytes> {
  if (passphrase === undefined)
    throw new Invalid(`master keys: ${id} is derived from a passphrase, and none is configured`)
  const salt = fromBase64url(kdf.salt)
  if (salt === undefined || salt.length < 16)
    throw new Invalid(`master keys: ${id}: "salt" is not base64url of at least 16 bytes`)
  return runScrypt(passphrase, salt, kdf)
}

function runScrypt(passphrase: Passphrase, salt: Buffer, cost: Omit<Kdf, 'name' | 'salt'>): Promise<SecretBytes> {
  const needed = 128 * cost.N * cost.r + 128 * cost.r * cost.p
  if (needed > SCRYPT_MAX_MEMORY)
    return Promise.reject(new Invalid('master keys: the scrypt parameters ask for more than 1 GiB'))
  const { N, r, p } = cost
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, KEY_BYTES, { N, r, p, maxmem: needed + (1 << 20) }, (error, key) => {
      if (error === null) resolve(takeSecret(key))
      else reject(new Unavailable('scrypt failed', { cause: error }))
    })
  })
}

/** An entry whose key, if the file keeps one, comes to stand at `place` among the keys of the file. */
async function newEntry(
  { random, now, passphrase }: NewMasterKey,
  place: number,
): Promise<{ entry: MasterKeyEntry; secrets: SecretBytes[] }> {
  const created = new Date(now).toISOString()
  if (passphrase === undefined) {
    const key = takeSecret(drawn(random, KEY_BYTES))
    return { entry: { id: masterIdOf(key).toString('hex'), created, key: place }, secrets: [key] }
  }
  const salt = drawn(random, 16)
  const key = await runScrypt(passphrase, salt, SCRYPT_COST)
  const id = masterIdOf(key).toString('hex')
  key.dispose()
  return { entry: { id, created, kdf: { name: 'scrypt', salt: toBase64url(salt), ...SCRYPT_COST } }, secrets: [] }
}

async function readContent(path: string): Promise<SecretBytes> {
  try {
    return await readSecretFile(path)
  } catch (error) {
    if (error instanceof Invalid) throw error
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (missing) throw new Invalid(`master keys: there is no file ${path}`, { cause: error })
    throw new Unavailable(`master keys: cannot read ${path}`, { cause: error })
  }
}
