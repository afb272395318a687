/** `sealgate decrypt`: a raw object and a master key, without the gateway. */
import { createWriteStream, readFileSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { random } from '../compose.ts'
import { Invalid } from '../errors.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { type KeyringRecord, parseKeyringRecord } from '../keys/keyring.ts'
import { LocalKeyManager } from '../keys/local.ts'
import { readMasterKeysFile } from '../keys/master-keys.ts'
import { describedHeaders } from '../gateway/object-metadata.ts'
import { report } from './client-options.ts'
import { type CommandContext, print, settingsOf } from './context.ts'
import { openRawObject, type OpenedObject } from './raw-object.ts'

interface DecryptFlags {
  readonly config?: string
  readonly masterKeys?: string
  readonly passphraseFile?: string
  readonly keyring?: string
  readonly recover?: boolean
  readonly output?: string
  readonly info?: boolean
  readonly json?: boolean
}

export function decryptCommand(context: CommandContext): Command {
  return new Command('decrypt')
    .description('open a raw object offline (a folder made by `inspect --export`)')
    .argument('<folder>', 'a folder with `body` and `object.json`')
    .option('-c, --config <file>', 'settings (YAML), to find the master keys')
    .option('--master-keys <file>', 'master keys file; default: the one of the settings')
    .option('--passphrase-file <file>', 'file with the passphrase of the master keys')
    .option('--keyring <file>', 'keyring (JSON array), for objects whose master key was rotated')
    .option('--recover', 'the metadata is lost: use the envelope in the body (objects from 5 MiB on)')
    .option('-o, --output <file>', 'where to write; default: standard output')
    .option('--info', 'print headers and user metadata in place of the contents')
    .option('--json', 'JSON in place of text')
    .addHelpText('after', '\nExample:\n  sealgate decrypt ./raw-object --master-keys master-keys.json -o monday.tar\n')
    .action(async (folder: string, flags: DecryptFlags) => {
      const object = await openRawObject(folder, await keysOf(context, flags), flags.recover === true)
      if (flags.info === true) {
        const { namespace, key, plaintextBytes, tlvs } = object
        print(
          context,
          JSON.stringify({ namespace, key, bytes: plaintextBytes, headers: describedHeaders(tlvs) }, null, 2),
        )
        return
      }
      await write(context, object, flags)
    })
}

async function keysOf(context: CommandContext, flags: DecryptFlags) {
  const path = flags.masterKeys ?? masterKeysOf(context, flags)
  const passphrase =
    flags.passphraseFile === undefined ? undefined : readFileSync(flags.passphraseFile, 'utf8').trimEnd()
  const masterKeys = await readMasterKeysFile(path, passphrase)
  const manager = (alias: string): KeyManager => new LocalKeyManager({ alias, masterKeys, random })
  return { manager, keyring: flags.keyring === undefined ? [] : readKeyring(flags.keyring) }
}

function masterKeysOf(context: CommandContext, flags: DecryptFlags): string {
  const { keys, data } = settingsOf(context, flags.config)
  const manager = keys.managers[keys.active]
  return (manager?.type === 'local' ? manager.file : undefined) ?? join(data, 'master-keys.json')
}

function readKeyring(path: string): KeyringRecord[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new Invalid(`${path} is not a keyring: a JSON array of records`, { cause })
  }
  if (!Array.isArray(parsed)) throw new Invalid(`${path} is not a keyring: a JSON array of records`)
  return parsed.map((record) => parseKeyringRecord(JSON.stringify(record)))
}

/** A file appears only after the last byte was verified. Standard output gets each chunk when it was. */
async function write(context: CommandContext, object: OpenedObject, flags: DecryptFlags): Promise<void> {
  const source = Readable.from(object.plaintext())
  if (flags.output === undefined) {
    await pipeline(source, context.stdout, { end: false })
    return
  }
  const partial = `${flags.output}.partial-${process.pid}`
  try {
    await pipeline(source, createWriteStream(partial, { flags: 'wx', flush: true }))
    await rename(partial, flags.output)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
  const { key, plaintextBytes } = object
  report(
    context,
    flags,
    { decrypted: flags.output, key, bytes: plaintextBytes },
    `${flags.output}  ${plaintextBytes} bytes  (${key})`,
  )
}
