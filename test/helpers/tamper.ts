/** Changing what a store holds behind the gateway's back. */
import type { Body } from '../../src/backends/body.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'

export interface StoredObject {
  readonly bytes: Buffer
  readonly metadata: Readonly<Record<string, string>>
  readonly facts: Buffer | undefined
}

export async function readStored(store: ObjectStore, bucket: string, key: string): Promise<StoredObject> {
  const { info, body } = await store.get(bucket, key)
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return { bytes: Buffer.from(Buffer.concat(pieces)), metadata: info.metadata, facts: info.facts }
}

export async function writeStored(
  store: ObjectStore,
  bucket: string,
  key: string,
  object: StoredObject,
): Promise<void> {
  await store.put(bucket, key, once(object.bytes), {
    length: object.bytes.length,
    metadata: object.metadata,
    commit: async () => (object.facts === undefined ? {} : { facts: object.facts }),
  })
}

export async function* once(bytes: Buffer): Body {
  yield [bytes]
}

/** A copy with one bit flipped. */
export function flip(bytes: Buffer, at: number, bit = 1): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(at) ^ bit, at)
  return copy
}
