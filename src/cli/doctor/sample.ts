/** Known texts, and what the steps of the examination do with them again and again. */
import type { Body } from '../../backends/body.ts'
import type { ObjectInfo } from '../../backends/object-store.ts'
import { type Components, random } from '../../compose.ts'
import type { Settings } from '../../config/settings.ts'
import type { S3Client } from '../s3-client.ts'
import type { Tell } from './finding.ts'

export interface Examination {
  readonly settings: Settings
  readonly components: Components
  readonly client: S3Client
  readonly bucket: string
  readonly tell: Tell
  readonly signal: AbortSignal
}

export interface Sample {
  readonly key: string
  readonly text: Buffer
  /** What its metadata says. */
  readonly secret: string
}

export interface Stored {
  readonly info: ObjectInfo
  readonly bytes: Buffer
}

/** A text that is not by chance anywhere else, over and over. */
export function makeSample(key: string, bytes: number): Sample {
  const line = `The quick brown fox of ${random(16).toString('hex')} jumps over the lazy dog.\n`
  return { key, text: Buffer.alloc(bytes, line), secret: `metadata-${random(12).toString('hex')}` }
}

/** What a search looks for: 64 bytes of the text, and what the metadata says. */
export const needlesOf = ({ text, secret }: Sample): Buffer[] => [text.subarray(0, 64), Buffer.from(secret)]

/** The object as the store has it, past the gateway. */
export async function readStored({ components, bucket }: Examination, key: string): Promise<Stored> {
  const { info, body } = await components.gateway.store.get(bucket, key)
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return { info, bytes: Buffer.concat(pieces) }
}

/** Puts other bytes under the same metadata, past the gateway. */
export async function writeStored(
  { components, bucket }: Examination,
  key: string,
  { info, bytes }: Stored,
): Promise<void> {
  async function* once(): Body {
    yield [bytes]
  }
  await components.gateway.store.put(bucket, key, once(), {
    length: bytes.length,
    metadata: info.metadata,
    commit: async () => (info.facts === undefined ? {} : { facts: info.facts }),
  })
}

/** A copy with one bit flipped. */
export function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at)
  return copy
}
