/** Bucket keys without the gateway: a file of master keys, and a keyring where master keys were rotated. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { random } from '../compose.ts'
import { openMasterKeys } from '../compose/master-keys.ts'
import type { Settings } from '../config/settings.ts'
import { Integrity, Invalid } from '../errors.ts'
import { kidOf, sameBytes } from '../format/derive.ts'
import { type Envelope, openCustomerKey } from '../format/envelope.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { type KeyringRecord, parseKeyringRecord } from '../keys/keyring.ts'
import { LocalKeyManager } from '../keys/local.ts'
import { type MasterKeys, type Passphrase, readMasterKeysFile } from '../keys/master-keys.ts'
import type { OpenBucketKey } from './raw-object.ts'

/**
 * Opens K by the keyring's record where there is one that passes the kid check, else by the key inside the envelope
 * (docs/format.md, "Envelope").
 */
export function openBucketKeys(masterKeys: MasterKeys, keyring: readonly KeyringRecord[]): OpenBucketKey {
  return async (envelope, namespace) => {
    if (envelope.tag === 'c') {
      throw new Invalid("this object is under a key of its client's (SSE-C); give it with --customer-key")
    }
    const manager = new LocalKeyManager({ alias: envelope.alias, masterKeys, random })
    const record = keyring.find((one) => sameBytes(one.kid, envelope.kid) && one.namespace === namespace)
    if (record !== undefined) {
      const key = await unwrap(manager, record, namespace).catch((error: unknown) => {
        if (!(error instanceof Integrity) || !envelope.flags.inlineKey) throw error
        return undefined
      })
      if (key !== undefined) return key
    }
    if (!envelope.flags.inlineKey) {
      throw new Invalid('this object carries no key of its own; give the keyring that has it with --keyring')
    }
    return unwrap(manager, envelope, namespace)
  }
}

/** Opens objects of SSE-C by the customer's key alone. */
export function openCustomerKeys(customerKey: Buffer): OpenBucketKey {
  return async (envelope) => {
    if (envelope.tag !== 'c') throw new Invalid("this object is under no key of a client's: leave --customer-key out")
    const key = openCustomerKey(envelope, customerKey)
    if (key === undefined) throw new Integrity('unwrap failure', "the object is under another customer's key")
    return key
  }
}

const CUSTOMER_KEY_BYTES = 32

/** A customer's key from a file that an option names: its bytes, or their base64. Throws `Invalid`, without a word of it. */
export function readCustomerKey(option: string, path: string): Buffer {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new Invalid(`${option} ${path} cannot be read`, { cause })
  }
  if (bytes.length === CUSTOMER_KEY_BYTES) return bytes
  const text = bytes.toString('latin1').trim()
  const key = Buffer.from(text, 'base64')
  if (key.length === CUSTOMER_KEY_BYTES && key.toString('base64') === text) return key
  throw new Invalid(`${option} ${path} holds neither 32 bytes nor their base64`)
}

async function unwrap(
  manager: KeyManager,
  { wrapped, day, kid }: Pick<Envelope, 'wrapped' | 'day' | 'kid'>,
  namespace: string,
): Promise<Buffer> {
  const key = await manager.unwrap(wrapped, { namespace, day })
  if (!sameBytes(kidOf(key), kid)) throw new Integrity('unwrap failure', 'the unwrapped key is another one')
  return key
}

/** The master keys of the active key manager of the settings. A passphrase given here goes before theirs. */
export async function masterKeysOf({ keys, data }: Settings, given: Passphrase | undefined): Promise<MasterKeys> {
  const manager = keys.managers[keys.active]
  if (manager?.type !== 'local') return readMasterKeysFile(join(data, 'master-keys.json'), given)
  return openMasterKeys(keys.active, manager, given)
}

/** The records of a keyring: a JSON array, or one record a line. Throws `Invalid` with the place of the first that is none. */
export function parseKeyring(path: string, text: string): KeyringRecord[] {
  const lines = text.trimStart().startsWith('[') ? arrayOf(path, text) : text.split('\n').filter((line) => line.trim())
  return lines.map((line, i) => {
    try {
      return parseKeyringRecord(line)
    } catch (cause) {
      throw new Invalid(`${path}: record ${i + 1} is not one of a keyring`, { cause })
    }
  })
}

function arrayOf(path: string, text: string): string[] {
  try {
    const records: unknown[] = JSON.parse(text)
    return records.map((record) => JSON.stringify(record))
  } catch (cause) {
    throw new Invalid(`${path} is not a keyring: write a JSON array of records, or one record a line`, { cause })
  }
}
