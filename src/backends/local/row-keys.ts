/**
 * Keys of the index's rows. All are bytes compared as bytes, so names come in the order of their UTF-8 encodings.
 * Bucket names hold no NUL, object keys may hold any character.
 */
import { Invalid } from '../../errors.ts'

/** LMDB takes keys of 1,978 bytes; the longest row key is bucket, NUL, object key, NUL and 24 bytes of `uploadOrderKey`. */
const MAX_BUCKET_BYTES = 255
const MAX_KEY_BYTES = 1_024

export function bucketKey(bucket: string): Buffer {
  const bytes = Buffer.from(bucket)
  if (bytes.length === 0 || bytes.length > MAX_BUCKET_BYTES || bytes.includes(0))
    throw new Invalid(`no bucket name: ${bucket}`)
  return bytes
}

/** bucket ‖ 0x00 ‖ key. */
export function objectKey(bucket: string, key: string): Buffer {
  const bytes = Buffer.byteLength(key)
  if (bytes === 0 || bytes > MAX_KEY_BYTES)
    throw new Invalid(`an object key has 1 to ${MAX_KEY_BYTES} bytes, not ${bytes}`)
  return belowBucket(bucket, Buffer.from(key))
}

/** bucket ‖ 0x00 ‖ name of the document. */
export function documentKey(bucket: string, name: string): Buffer {
  return belowBucket(bucket, Buffer.from(name))
}

/** 0x00 ‖ name of the document ‖ 0x00 ‖ bucket: whose document waits. No bucket has an empty name. */
export function waitingKey(name: string, bucket: string): Buffer {
  return Buffer.concat([waitingFor(name), Buffer.from(bucket)])
}

/** What the keys of all buckets begin with whose document of that name waits. */
export function waitingFor(name: string): Buffer {
  return Buffer.from(`\0${name}\0`)
}

/** bucket ‖ 0x00 ‖ any bytes: where a listing starts. */
export function belowBucket(bucket: string, rest: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([bucketKey(bucket), Buffer.alloc(1), rest])
}

/**
 * bucket ‖ 0x00 ‖ key with 1 added to each byte ‖ 0x00 ‖ initiated (8 bytes) ‖ upload id. UTF-8 has no byte above 0xF4, so adding 1
 * keeps the order and frees 0x00 as an end that sorts before every continuation of the key, even when keys hold NUL themselves.
 */
export function uploadOrderKey(bucket: string, key: string, initiated: number, uploadId: Buffer): Buffer {
  const place = Buffer.alloc(9)
  place.writeDoubleBE(initiated, 1)
  return Buffer.concat([uploadOrderPrefix(bucket, key), place, uploadId])
}

/** What the order keys of all uploads of keys that begin with `prefix` begin with. */
export function uploadOrderPrefix(bucket: string, prefix: string): Buffer {
  return belowBucket(bucket, Buffer.from(Buffer.from(prefix).map((byte) => byte + 1)))
}

/** bucket ‖ 0x00 ‖ key with 1 added to each byte ‖ 0x00: what the keys of all older versions and markers of a key begin with. */
export function versionsOf(bucket: string, key: string): Buffer {
  return Buffer.concat([uploadOrderPrefix(bucket, key), Buffer.alloc(1)])
}

const LAST_SEQUENCE = 0xffff_ffff_ffff_ffffn

/** `versionsOf` ‖ sequence subtracted from the greatest (8 bytes): the newest comes first. */
export function versionKey(bucket: string, key: string, sequence: bigint): Buffer {
  const place = Buffer.alloc(8)
  place.writeBigUInt64BE(LAST_SEQUENCE - sequence)
  return Buffer.concat([versionsOf(bucket, key), place])
}

/** The name in the key of a version's row. */
export function nameOfVersionKey(versionRowKey: Buffer, bucket: string): string {
  const name = Buffer.from(versionRowKey.subarray(bucketKey(bucket).length + 1, -9))
  for (let at = 0; at < name.length; at += 1) name.writeUInt8(name.readUInt8(at) - 1, at)
  return name.toString('utf8')
}

/** The upload id at the end of an order key. */
export function uploadIdOfOrderKey(orderKey: Buffer): Buffer {
  return orderKey.subarray(-16)
}

/** upload id (16 bytes) ‖ part number (4 bytes). */
export function partKey(uploadId: Buffer, partNumber: number): Buffer {
  if (!Number.isInteger(partNumber) || partNumber < 0 || partNumber > 0xffff_ffff)
    throw new Invalid(`no part number: ${partNumber}`)
  const key = Buffer.alloc(20)
  uploadId.copy(key)
  key.writeUInt32BE(partNumber, 16)
  return key
}

/** The first key behind everything that begins with `prefix`; there is no 0xFF at the end of any prefix of ours. */
export function behind(prefix: Buffer): Buffer {
  const key = Buffer.from(prefix)
  const end = key.length - 1
  key.writeUInt8(key.readUInt8(end) + 1, end)
  return key
}

/** The first key after `key`. */
export function after(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.alloc(1)])
}
