/** Ids of requests, as S3's look: 16 hexadecimal digits. */
const ID_BYTES = 8
/** Drawn at once: the system's generator costs more for each call than for each byte. */
const POOL_IDS = 512

/** A source of ids. They tell requests apart and are no secret. */
export function requestIds(random: (bytes: number) => Buffer): () => string {
  let pool: Buffer | undefined
  let at = 0
  return () => {
    if (pool === undefined || at === pool.length) {
      pool = random(POOL_IDS * ID_BYTES)
      at = 0
    }
    at += ID_BYTES
    return pool.toString('hex', at - ID_BYTES, at).toUpperCase()
  }
}
