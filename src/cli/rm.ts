/** `sealgate rm`: one object, or everything below a prefix. */
import { Command } from 'commander'
import { Invalid } from '../errors.ts'
import { md5 } from '../format/hash.ts'
import { childrenNamed, childText, el, group, xmlDocument } from '../s3/xml.ts'
import { type ClientFlags, report, withClient, withClientOptions } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { pages } from './ls.ts'
import { parseS3Address, type S3Address } from './s3-address.ts'
import { type S3Client, S3Refusal } from './s3-client.ts'

interface RmFlags extends ClientFlags {
  readonly recursive?: boolean
}

export function rmCommand(context: CommandContext): Command {
  return withClientOptions(new Command('rm'))
    .description('delete an object')
    .argument('<address>', 's3://bucket/key')
    .option('-r, --recursive', 'every object whose key begins with the address')
    .addHelpText('after', '\nExample:\n  sealgate rm s3://backups/2025/ --recursive\n')
    .action((target: string, flags: RmFlags) =>
      withClient(context, flags, async (client) => {
        const address = parseS3Address(target)
        if (flags.recursive === true) {
          const deleted = await removeBelow(client, address)
          report(context, flags, { rm: target, deleted }, `${deleted} objects deleted`)
          return
        }
        if (address.key === '') throw new Invalid(`"${target}" names no object; add a key, or --recursive`)
        await client.read({ method: 'DELETE', address })
        report(context, flags, { rm: target, deleted: 1 }, `${target} deleted`)
      }),
    )
}

/** Deletes page by page. Throws at the first key that the gateway refuses. */
export async function removeBelow(client: S3Client, address: S3Address): Promise<number> {
  let deleted = 0
  for await (const page of pages(client, address, true)) {
    const keys = childrenNamed(page, 'Contents').map((object) => childText(object, 'Key') ?? '')
    if (keys.length === 0) continue
    const objects = keys.map((key) => group('Object', el('Key', key)))
    const body = Buffer.from(xmlDocument('Delete', el('Quiet', true), ...objects))
    const root = await client.document({
      method: 'POST',
      address: { bucket: address.bucket, key: '' },
      query: { delete: '' },
      headers: { 'content-md5': md5(body).toString('base64') },
      body,
    })
    const [refused] = childrenNamed(root, 'Error')
    if (refused !== undefined) {
      throw new S3Refusal(
        200,
        childText(refused, 'Code') ?? '',
        `${childText(refused, 'Key') ?? ''}: ${childText(refused, 'Message') ?? ''}`,
      )
    }
    deleted += keys.length
  }
  return deleted
}
