/** A raw object outside the gateway: a folder with `body` and `object.json` (docs/format.md, "Test vectors"), and opening one offline. */
import { closeSync, createReadStream, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Integrity, Invalid } from '../errors.ts'
import { decodeFoot, type Envelope, openEnvelope, parseEnvelope } from '../format/envelope.ts'
import { type Layout, layoutOfMetadata, layoutOfTail } from '../format/layout.ts'
import { fromStoredMetadata, openMetadata } from '../format/metadata.ts'
import { ObjectOpener } from '../format/open-object.ts'
import { FOOT_LIMIT, plaintextSize, TRAILER_BYTES, tailReadSize } from '../format/sizes.ts'
import { openArea, openTail } from '../format/tail.ts'
import type { TailRecord } from '../format/tail-record.ts'
import { mergeTlvs, type Tlv } from '../format/tlv.ts'

export interface RawObject {
  readonly bucket: string
  readonly namespace: string
  readonly key: string
  /** As the store keeps it: `sg-e`, `sg-m`, … */
  readonly metadata: Readonly<Record<string, string>>
}

export interface OpenedObject {
  readonly namespace: string
  readonly key: string
  readonly tlvs: readonly Tlv[]
  readonly plaintextBytes: number
  /** Verified plaintext, piece by piece. Throws `Integrity`. */
  readonly plaintext: () => AsyncGenerator<Buffer>
}

/** Opens K, the bucket key that an envelope names. Throws `Integrity('unwrap failure')` if it cannot. */
export type OpenBucketKey = (envelope: Envelope, namespace: string) => Promise<Buffer>

const TRAILER_MAGIC = 'SGT1TAIL'

export function readObjectJson(folder: string): RawObject {
  const path = join(folder, 'object.json')
  let parsed: object | undefined
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new Invalid(`${path} cannot be read; \`sealgate inspect --export\` writes one, and --recover does without`, {
      cause,
    })
  }
  const fields = new Map(Object.entries(parsed ?? {}))
  const [bucket, namespace, key] = ['bucket', 'namespace', 'key'].map((name) => fields.get(name))
  const metadata: unknown = fields.get('metadata')
  if (
    typeof bucket !== 'string' ||
    typeof namespace !== 'string' ||
    typeof key !== 'string' ||
    typeof metadata !== 'object'
  ) {
    throw new Invalid(`${path} has no bucket, namespace, key and metadata`)
  }
  const entries = Object.entries(metadata ?? {}).map(([name, value]): [string, string] => [name, String(value)])
  return { bucket, namespace, key, metadata: Object.fromEntries(entries) }
}

/** Opens the raw object in `folder`. `recover`: by the envelope in the body's foot, without object.json. */
export async function openRawObject(folder: string, openKey: OpenBucketKey, recover: boolean): Promise<OpenedObject> {
  const body = join(folder, 'body')
  const { size } = statSync(body, { throwIfNoEntry: false }) ?? { size: -1 }
  if (size < 0) throw new Invalid(`${body} is missing`)
  if (plaintextSize(size) === undefined)
    throw new Integrity('size mismatch', `${size} is not the size of a sealed object`)
  return recover ? openByFoot(body, size, openKey) : openByMetadata(body, size, readObjectJson(folder), openKey)
}

async function openByMetadata(
  body: string,
  size: number,
  raw: RawObject,
  openKey: OpenBucketKey,
): Promise<OpenedObject> {
  const stored = fromStoredMetadata(raw.metadata)
  if (stored === 'foreign') throw new Integrity('envelope failure', 'there is no envelope: not an object of Sealgate')
  const envelope = parseEnvelope(stored.envelope)
  const objectKey = await objectKeyOf(envelope, raw, openKey)
  const metadata = openMetadata(objectKey, stored.envelope, stored.metadata)
  const tailed =
    envelope.flags.tailFirst || envelope.flags.areaUsed ? readTail(body, size, objectKey, envelope) : undefined
  const layout = envelope.flags.sizeInMetadata
    ? layoutOfMetadata(envelope.suite, metadata, size)
    : layoutOfTail(envelope.suite, tailed ?? readTail(body, size, objectKey, envelope), size)
  const area = tailed?.area === undefined ? [] : openArea(objectKey, tailed.area)
  return opened(raw, { body, objectKey, layout, record: tailed, tlvs: mergeTlvs(metadata.tlvs, area) })
}

async function openByFoot(body: string, size: number, openKey: OpenBucketKey): Promise<OpenedObject> {
  const trailer = readAt(body, size - TRAILER_BYTES, TRAILER_BYTES)
  if (trailer.toString('latin1', 8) !== TRAILER_MAGIC) throw new Integrity('tail failure', 'the body has no trailer')
  const footBytes = trailer.readUInt16BE(0)
  if (footBytes === 0)
    throw new Invalid('this object carries no recovery envelope (it is under 5 MiB): its metadata is needed')
  if (footBytes > FOOT_LIMIT || footBytes > size - TRAILER_BYTES)
    throw new Integrity('tail failure', `the trailer names a recovery envelope of ${footBytes} bytes`)
  const place = decodeFoot(readAt(body, size - TRAILER_BYTES - footBytes, footBytes))
  const objectKey = await objectKeyOf(place.envelope, place, openKey)
  const record = readTail(body, size, objectKey, place.envelope)
  const layout = layoutOfTail(place.envelope.suite, record, size)
  const tlvs = record.area === undefined ? [] : openArea(objectKey, record.area)
  return opened(place, { body, objectKey, layout, record, tlvs })
}

interface Parts {
  readonly body: string
  readonly objectKey: Buffer
  readonly layout: Layout
  readonly record: TailRecord | undefined
  readonly tlvs: readonly Tlv[]
}

function opened(place: { readonly namespace: string; readonly key: string }, parts: Parts): OpenedObject {
  const { body, objectKey, layout, record, tlvs } = parts
  return {
    namespace: place.namespace,
    key: place.key,
    tlvs,
    plaintextBytes: layout.plaintextBytes,
    plaintext: async function* () {
      const opener = new ObjectOpener({ objectKey, layout, ...(record === undefined ? {} : { record }) })
      const blocks: AsyncIterable<Buffer> = createReadStream(body, { highWaterMark: 1024 * 1024 })
      for await (const block of blocks) yield* opener.push(block)
      yield* opener.end()
    },
  }
}

function readTail(body: string, size: number, objectKey: Buffer, envelope: Envelope): TailRecord {
  const bytes = tailReadSize(size) ?? 0
  return openTail(objectKey, readAt(body, size - bytes, bytes), size, envelope.suite).record
}

function readAt(path: string, position: number, length: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(length)
    let filled = 0
    while (filled < length) {
      const read = readSync(file, buffer, filled, length - filled, position + filled)
      if (read === 0) throw new Invalid(`${path} is shorter than its size says`)
      filled += read
    }
    return buffer
  } finally {
    closeSync(file)
  }
}

/** R. The kid is checked whatever opened K. */
async function objectKeyOf(
  envelope: Envelope,
  { namespace, key }: { readonly namespace: string; readonly key: string },
  openKey: OpenBucketKey,
): Promise<Buffer> {
  return openEnvelope(envelope, await openKey(envelope, namespace), namespace, key)
}
