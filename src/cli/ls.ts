/** `sealgate ls`: buckets, or the objects of one. */
import { Command } from 'commander'
import { child, childrenNamed, childText, type XmlElement } from '../s3/xml.ts'
import { type ClientFlags, report, withClient, withClientOptions } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { parseS3Address, type S3Address } from './s3-address.ts'
import type { S3Client } from './s3-client.ts'

interface LsFlags extends ClientFlags {
  readonly recursive?: boolean
}

export function lsCommand(context: CommandContext): Command {
  return withClientOptions(new Command('ls'))
    .description('list buckets, or the objects below an address')
    .argument('[address]', 's3://bucket or s3://bucket/prefix')
    .option('-r, --recursive', 'every object below, not only the first level')
    .addHelpText('after', '\nExample:\n  sealgate ls s3://backups/2026/ --recursive\n')
    .action((target: string | undefined, flags: LsFlags) =>
      withClient(context, flags, async (client) => {
        if (target === undefined) return listBuckets(context, client, flags)
        for await (const page of pages(client, parseS3Address(target), flags.recursive === true)) {
          for (const prefix of childrenNamed(page, 'CommonPrefixes')) {
            const name = childText(prefix, 'Prefix') ?? ''
            report(context, flags, { prefix: name }, `${' '.repeat(24)} ${' '.repeat(14)}  ${printable(name)}`)
          }
          for (const object of childrenNamed(page, 'Contents')) reportObject(context, flags, object)
        }
      }),
    )
}

async function listBuckets(context: CommandContext, client: S3Client, flags: LsFlags): Promise<void> {
  const root = await client.document({ method: 'GET' })
  const buckets = child(root, 'Buckets')
  for (const bucket of buckets === undefined ? [] : childrenNamed(buckets, 'Bucket')) {
    const [name = '', created = ''] = [childText(bucket, 'Name'), childText(bucket, 'CreationDate')]
    report(context, flags, { bucket: name, created }, `${created}  ${name}`)
  }
}

function reportObject(context: CommandContext, flags: LsFlags, object: XmlElement): void {
  const key = childText(object, 'Key') ?? ''
  const size = Number(childText(object, 'Size') ?? 0)
  const modified = childText(object, 'LastModified') ?? ''
  const etag = childText(object, 'ETag') ?? ''
  report(context, flags, { key, size, modified, etag }, `${modified} ${String(size).padStart(14)}  ${printable(key)}`)
}

/** Keys are anybody's text: what would steer a terminal is shown as an escape. JSON has them as they are. */
function printable(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** The pages of a listing to its end. */
export async function* pages(client: S3Client, address: S3Address, recursive: boolean): AsyncGenerator<XmlElement> {
  const query: Record<string, string> = { 'list-type': '2', prefix: address.key }
  if (!recursive) query.delimiter = '/'
  for (;;) {
    const page = await client.document({ method: 'GET', address: { bucket: address.bucket, key: '' }, query })
    yield page
    const token = childText(page, 'NextContinuationToken')
    if (childText(page, 'IsTruncated') !== 'true' || token === undefined) return
    query['continuation-token'] = token
  }
}
