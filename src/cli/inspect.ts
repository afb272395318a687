/** `sealgate inspect`: what the store keeps of one object, and what its envelope says; `--export` writes the raw object. */
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { type Components, openComponents } from '../compose.ts'
import { TLV } from '../format/tlv.ts'
import { allTlvs, headSealed, type SealedObject } from '../gateway/sealed-object.ts'
import { report } from './client-options.ts'
import { type CommandContext, settingsOf } from './context.ts'
import { parseObjectAddress } from './s3-address.ts'

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
    .addHelpText('after', '\nExample:\n  sealgate inspect s3://backups/monday.tar --export ./raw-object\n')
    .action(async (target: string, flags: InspectFlags) => {
      const components = await openComponents(settingsOf(context, flags.config))
      try {
        const sealed = await headSealed(components.gateway, parseObjectAddress(target))
        const facts = await describe(components, sealed)
        if (flags.export !== undefined) await exportRaw(components, sealed, flags.export)
        const lines = Object.entries(facts).map(([name, value]) => `${name.padEnd(16)} ${String(value)}`)
        report(
          context,
          flags,
          { ...facts, ...(flags.export === undefined ? {} : { exported: flags.export }) },
          lines.join('\n'),
        )
      } finally {
        await components.close()
      }
    })
}

const DAY_MILLISECONDS = 86_400_000
const TLV_NAMES = new Map<number, string>(Object.entries(TLV).map(([name, tag]) => [tag, name]))

/** No secret among them: identifiers of keys, never keys. */
async function describe(
  { gateway }: Components,
  sealed: SealedObject,
): Promise<Record<string, string | number | boolean>> {
  const { place, info, envelope, metadata, size, etag } = sealed
  const tlvs = await allTlvs(gateway, sealed, new AbortController().signal)
  return {
    bucket: place.bucket,
    key: place.key,
    namespace: sealed.bucketKey.namespace,
    bytes: size,
    storedBytes: info.size,
    etag,
    lastModified: info.lastModified.toISOString(),
    suite: envelope.suite === 1 ? '1 (AES-256-GCM, HKDF-SHA-512)' : envelope.suite,
    provider: envelope.tag,
    manager: envelope.alias,
    keyDay: new Date(envelope.day * DAY_MILLISECONDS).toISOString().slice(0, 10),
    kid: envelope.kid.toString('hex'),
    // The provider's bytes begin with a version and the id of the master key (docs/format.md, "Envelope").
    ...(envelope.tag === 'l' ? { masterKey: envelope.wrapped.toString('hex', 1, 9) } : {}),
    tailFirst: envelope.flags.tailFirst,
    areaUsed: envelope.flags.areaUsed,
    generation: metadata.generation.toString('hex'),
    written: new Date(metadata.writeTime).toISOString(),
    sealedMetadata: tlvs.map(({ tag }) => TLV_NAMES.get(tag) ?? tag).join(' '),
  }
}

/** Writes the object as the store has it. */
export async function exportRaw(
  { gateway }: Components,
  { place, info, bucketKey }: SealedObject,
  folder: string,
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const { body } = await gateway.store.get(place.bucket, place.key, { ifMatch: info.etag })
  async function* pieces(): AsyncGenerator<Buffer> {
    for await (const batch of body) yield* batch
  }
  await pipeline(Readable.from(pieces()), createWriteStream(join(folder, 'body')))
  const { namespace } = bucketKey
  const { bucket, key } = place
  writeFileSync(
    join(folder, 'object.json'),
    `${JSON.stringify({ bucket, namespace, key, metadata: info.metadata }, null, 2)}\n`,
  )
}
