/** Which objects are one shard's, and which are of a sample: by a hash of their names, so that shards need not know of each other. */
import { lengthPrefixed } from '../format/derive.ts'
import { sha256 } from '../format/hash.ts'

/** One of `count`, from 0 on. */
export interface Shard {
  readonly index: number
  readonly count: number
}

export const WHOLE: Shard = { index: 0, count: 1 }
const MOST = 65_536

/** `0/8` to `7/8`; `undefined` for anything else. */
export function parseShard(text: string): Shard | undefined {
  const [, index, count] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []
  if (index === undefined || count === undefined) return undefined
  const shard = { index: Number(index), count: Number(count) }
  return shard.count <= MOST && shard.index < shard.count ? shard : undefined
}

/** Whether a key is of this shard. All versions of a key fall to the same one. */
export function isOfShard({ index, count }: Shard, bucket: string, key: string): boolean {
  return count === 1 || drawn(bucket, key) % count === index
}

/** Whether an object is of a sample of so many per cent. The same seed chooses the same objects. */
export function isOfSample(percent: number, ...names: readonly string[]): boolean {
  return percent >= 100 || drawn(...names) < (percent / 100) * 2 ** 48
}

/** 48 bits. */
function drawn(...names: readonly string[]): number {
  return sha256(Buffer.concat(names.map((name) => lengthPrefixed(name)))).readUIntBE(0, 6)
}
