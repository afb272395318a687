/** `sealgate decrypt`: a raw object and a master key, without the gateway. */
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { readPassphraseFile } from '../compose/master-keys.ts'
import { describedHeaders } from '../gateway/object-metadata.ts'
import { readMasterKeysFile } from '../keys/master-keys.ts'
import { report } from './client-options.ts'
import { type CommandContext, readOptionFile, settingsOf, stoppable } from './context.ts'
import { masterKeysOf, openBucketKeys, openCustomerKeys, parseKeyring, readCustomerKey } from './offline-keys.ts'
import { type OpenBucketKey, type OpenedObject, openRawObject } from './raw-object.ts'
import { writeWhole } from './whole-file.ts'

interface DecryptFlags {
  readonly config?: string
  readonly masterKeys?: string
  readonly passphraseFile?: string
  readonly customerKey?: string
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
    .option('--customer-key <file>', 'the key of an SSE-C object: 32 bytes, or their base64 as clients send it')
    .option('--keyring <file>', 'keyring (JSON array, or a record a line), for objects whose master key was rotated')
    .option('--recover', 'the metadata is lost: use the envelope in the body (objects from 5 MiB on)')
    .option('-o, --output <file>', 'where to write, once all of it is verified; default: standard output, as it is')
    .option('--info', 'print headers and user metadata; the contents are not read')
    .option('--json', 'JSON in place of text')
    .addHelpText('after', '\nExample:\n  sealgate decrypt ./raw-object --master-keys master-keys.json -o monday.tar\n')
    .action((folder: string, flags: DecryptFlags) =>
      stoppable(context, async (signal) => {
        const object = await openRawObject(folder, await keysOf(context, flags), flags.recover === true)
        if (flags.info === true) tellInfo(context, flags, object)
        else await write(context, object, flags, signal)
      }),
    )
}

/** Under a customer's key there is nothing to ask master keys for. */
async function keysOf(context: CommandContext, flags: DecryptFlags): Promise<OpenBucketKey> {
  if (flags.customerKey !== undefined) return openCustomerKeys(readCustomerKey('--customer-key', flags.customerKey))
  const { masterKeys: path, keyring } = flags
  const passphrase =
    flags.passphraseFile === undefined ? undefined : await readPassphraseFile('--passphrase-file', flags.passphraseFile)
  const masterKeys = await (path === undefined
    ? masterKeysOf(settingsOf(context, flags.config), passphrase)
    : readMasterKeysFile(path, passphrase))
  passphrase?.dispose()
  return openBucketKeys(
    masterKeys,
    keyring === undefined ? [] : parseKeyring(keyring, readOptionFile('--keyring', keyring)),
  )
}

function tellInfo(context: CommandContext, flags: DecryptFlags, object: OpenedObject): void {
  const { namespace, key, plaintextBytes: bytes } = object
  const headers = describedHeaders(object.tlvs)
  const lines = Object.entries({ namespace, key, bytes, ...headers }).map(
    ([name, value]) => `${name.padEnd(16)} ${String(value)}`,
  )
  report(context, flags, { namespace, key, bytes, headers }, lines.join('\n'))
}

/** A file appears only after the last byte was verified. Standard output gets each chunk when it was. */
async function write(
  context: CommandContext,
  object: OpenedObject,
  flags: DecryptFlags,
  signal: AbortSignal,
): Promise<void> {
  if (flags.output === undefined) {
    await pipeline(object.plaintext(), context.stdout, { end: false, signal })
    return
  }
  await writeWhole(flags.output, object.plaintext(), signal)
  const { key, plaintextBytes } = object
  report(
    context,
    flags,
    { decrypted: flags.output, key, bytes: plaintextBytes },
    `${flags.output}  ${plaintextBytes} bytes  (${key})`,
  )
}
