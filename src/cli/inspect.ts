/** `sealgate inspect`: what the store keeps of one object, and what its envelope says; `--export` writes the raw object. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { type ObjectInfo, StoreError } from '../backends/object-store.ts'
import { Integrity, Invalid, Unavailable } from '../errors.ts'
import { type Envelope, parseEnvelope } from '../format/envelope.ts'
import { fromStoredMetadata } from '../format/metadata.ts'
import { sseOf, TLV } from '../format/tlv.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Place } from '../gateway/place.ts'
import { allTlvs, readTail, unseal } from '../gateway/sealed-object.ts'
import { ENCRYPTION_MODES } from '../s3/encryption-headers.ts'
import { report } from './client-options.ts'
import { withComponents } from './components.ts'
import { type CommandContext, settingsOf } from './context.ts'
import { parseObjectAddress } from './s3-address.ts'
import { writeWhole } from './whole-file.ts'

interface InspectFlags {
  readonly config?: string
  readonly export?: string
  readonly json?: boolean
}

export function inspectCommand(context: CommandContext): Command {
  return new Command('inspect')
    .description('what the store keeps of an object, and what its envelope says')
    .argument('<address>', 's3://bucket/key')
    .option('-c, --config <file>', 'settings (YAML): where the store and the keys are')
    .option('--export <folder>', 'write the raw object there: `body` and `object.json`')
    .option('--json', 'JSON in place of text')
    .addHelpText(
      'after',
      '\nExample:\n  sealgate inspect s3://backups/monday.tar --export ./raw-object\n\nAn object that does not open is shown and exported all the same; the exit code is then 4.\n',
    )
    .action((target: string, flags: InspectFlags) => {
      const place = parseObjectAddress(target)
      const settings = settingsOf(context, flags.config)
      if (settings.backend.type === 'memory')
        throw new Invalid('a store in memory can be seen by the gateway alone; set backend.type to local')
      return withComponents(context, settings, ({ gateway }, signal) =>
        inspect(context, gateway, place, { ...flags, signal }),
      )
    })
}

async function inspect(
  context: CommandContext,
  gateway: Gateway,
  place: Place,
  flags: InspectFlags & { readonly signal: AbortSignal },
): Promise<void> {
  const info = await headOf(gateway, place)
  const stored = fromStoredMetadata(info.metadata)
  if (stored === 'foreign')
    throw new Integrity('envelope failure', `${place.bucket}/${place.key} was not written through Sealgate`)
  if (flags.export !== undefined) await exportRaw(gateway, { place, info }, flags.export, flags.signal)
  const envelope = parseEnvelope(stored.envelope)
  const shown = {
    ...describeStored(gateway, place, info),
    ...describeEnvelope(envelope),
    ...(flags.export === undefined ? {} : { exported: flags.export }),
  }
  const tell = (facts: Readonly<Record<string, unknown>>): void => {
    const lines = Object.entries(facts).map(([name, value]) => `${name.padEnd(16)} ${String(value)}`)
    report(context, flags, facts, lines.join('\n'))
  }
  if (envelope.tag === 'c') {
    tell({ ...shown, encryption: 'SSE-C: only who has the key of the client opens it (decrypt --customer-key)' })
    return
  }
  const opened = await describeSealed(gateway, place, info, flags.signal).catch((error: unknown) => {
    if (error instanceof Integrity) tell({ ...shown, opens: false })
    throw error
  })
  tell({ ...shown, ...opened, opens: true })
}

async function headOf(gateway: Gateway, { bucket, key }: Place): Promise<ObjectInfo> {
  const info = await gateway.store.head(bucket, key).catch((cause: unknown) => {
    throw cause instanceof StoreError ? new Error(`there is no bucket ${bucket}; \`sealgate ls\` shows them`) : cause
  })
  if (info === undefined) throw new Error(`there is no object ${key} in ${bucket}; \`sealgate ls\` shows them`)
  return info
}

const DAY_MILLISECONDS = 86_400_000
const TLV_NAMES = new Map<number, string>(Object.entries(TLV).map(([name, tag]) => [tag, name]))

function describeStored(gateway: Gateway, { bucket, key }: Place, info: ObjectInfo): Record<string, string | number> {
  const { namespace } = gateway.rules(bucket)
  return { bucket, key, namespace, storedBytes: info.size, lastModified: info.lastModified.toISOString() }
}

/** What anybody can read of the envelope. No secret among it: identifiers of keys, never keys. */
function describeEnvelope(envelope: Envelope): Record<string, string | number | boolean> {
  const { suite, tag, alias, day, kid, wrapped, flags } = envelope
  return {
    suite: suite === 1 ? '1 (AES-256-GCM, HKDF-SHA-512)' : suite,
    provider: tag,
    ...(tag === 'c' ? {} : { manager: alias, keyDay: new Date(day * DAY_MILLISECONDS).toISOString().slice(0, 10) }),
    kid: kid.toString('hex'),
    // The provider's bytes begin with a version and the id of the master key (docs/format.md, "Envelope").
    ...(tag === 'l' && flags.inlineKey ? { masterKey: wrapped.toString('hex', 1, 9) } : {}),
    ...flags,
  }
}

/** What the sealed metadata and, where it is needed, the tail say. Throws `Integrity` if they do not open. */
async function describeSealed(
  gateway: Gateway,
  place: Place,
  info: ObjectInfo,
  signal: AbortSignal,
): Promise<Record<string, string | number>> {
  const sealed = await unseal(gateway, place, info)
  if (sealed.kind === 'plain')
    throw new Invalid(`${place.bucket}/${place.key} has no envelope: it lies there in plaintext`)
  const { metadata, envelope, size: bytes, etag } = sealed
  const tlvs = await allTlvs(gateway, sealed, signal)
  const asked = sseOf(tlvs)
  return {
    bytes,
    etag,
    segments: envelope.flags.sizeInMetadata ? 1 : (await readTail(gateway, sealed, signal)).segments,
    generation: metadata.generation.toString('hex'),
    written: new Date(metadata.writeTime).toISOString(),
    ...(asked === undefined ? {} : { encryption: `${ENCRYPTION_MODES[asked.mode - 1] ?? ''} ${asked.keyId}`.trim() }),
    sealedMetadata: tlvs.map(({ tag }) => TLV_NAMES.get(tag) ?? tag).join(' '),
  }
}

/** Writes the object as the store has it. */
export async function exportRaw(
  gateway: Gateway,
  { place, info }: { readonly place: Place; readonly info: ObjectInfo },
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const { bucket, key } = place
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new Invalid(`the folder ${folder} cannot be made`, { cause })
  }
  const { body } = await gateway.store.get(bucket, key, { ifMatch: info.etag, signal }).catch((cause: unknown) => {
    if (!(cause instanceof StoreError)) throw cause
    throw new Unavailable(`${bucket}/${key} was overwritten meanwhile; try again`, { cause })
  })
  async function* pieces(): AsyncGenerator<Buffer> {
    for await (const batch of body) yield* batch
  }
  await writeWhole(join(folder, 'body'), pieces(), signal)
  const { namespace } = gateway.rules(bucket)
  writeFileSync(
    join(folder, 'object.json'),
    `${JSON.stringify({ bucket, namespace, key, metadata: info.metadata }, null, 2)}\n`,
  )
}
