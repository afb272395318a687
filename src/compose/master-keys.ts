/** Where settings say that local master keys and their passphrase are. A passphrase from a file is never a string, and ends after its use. */
import { isUtf8 } from 'node:buffer'
import type { ManagerSettings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'
import { type MasterKeys, parseMasterKeys, type Passphrase, readMasterKeysFile } from '../keys/master-keys.ts'
import { readSecretFile } from '../keys/secret-file.ts'
import { type SecretBytes, takeSecret } from '../secret-bytes.ts'

export type LocalSettings = ManagerSettings<'local'>

/** As for passphrases that stand in the settings. */
const LEAST_CHARACTERS = 12

/** The master keys of one key manager. A passphrase given here goes before that of the settings. Throws `Invalid`, `Unavailable`. */
export function openMasterKeys(alias: string, settings: LocalSettings, given?: Passphrase): Promise<MasterKeys> {
  const open = (passphrase: Passphrase | undefined): Promise<MasterKeys> =>
    settings.keys === undefined
      ? readMasterKeysFile(settings.keysFile ?? settings.file ?? '', passphrase)
      : parseMasterKeys(settings.keys, passphrase)
  return given === undefined ? withPassphrase(alias, settings, open) : open(given)
}

/** Runs `work` with the passphrase of a key manager, if it has one. Throws `Invalid` if its file cannot be read or is too short. */
export async function withPassphrase<T>(
  alias: string,
  { passphrase, passphraseFile }: Pick<LocalSettings, 'passphrase' | 'passphraseFile'>,
  work: (passphrase: Passphrase | undefined) => Promise<T>,
): Promise<T> {
  if (passphraseFile === undefined) return work(passphrase)
  const what = `keys.managers.${alias}.passphraseFile`
  const read = await readPassphraseFile(what, passphraseFile)
  try {
    if (read.length < LEAST_CHARACTERS) throw new Invalid(`${what}: use at least ${LEAST_CHARACTERS} characters`)
    return await work(read)
  } finally {
    read.dispose()
  }
}

/** One line end at its end is not part of it. `what` is the setting or option. Throws `Invalid` if it cannot be read. */
export async function readPassphraseFile(what: string, path: string): Promise<SecretBytes> {
  let content: SecretBytes
  try {
    content = await readSecretFile(path)
  } catch (cause) {
    if (cause instanceof Invalid) throw cause
    throw new Invalid(`${what} cannot be read: ${path}`, { cause })
  }
  const end = content.at(-1) !== LF ? content.length : content.length - (content.at(-2) === CR ? 2 : 1)
  const isText = isUtf8(content)
  if (isText && end === content.length) return content
  try {
    // Earlier versions derived from text: what is none was read with replacement characters.
    return takeSecret(isText ? content.subarray(0, end) : Buffer.from(content.toString('utf8', 0, end)))
  } finally {
    content.dispose()
  }
}

const LF = 0x0a
const CR = 0x0d
