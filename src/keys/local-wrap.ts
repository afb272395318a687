/** How a bucket key K is wrapped under a master key M that we hold: `u8 1 ‖ master id(8) ‖ Seal(M, "sealgate/v1/local", ctx, K)` (docs/format.md, "Envelope"). */
import { Integrity } from '../errors.ts'
import { drawn, KEY_BYTES, lengthPrefixed, openSmall, type RandomSource, sealSmall } from '../format/derive.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import type { MasterKey } from './master-keys.ts'

const LABEL = 'sealgate/v1/local'
const VERSION = 1
const ID_END = 9

/** `str(namespace) ‖ u32 day`: what a wrapped key is bound to. */
export function encodeContext({ namespace, day }: KeyContext): Buffer {
  const dayBytes = Buffer.alloc(4)
  dayBytes.writeUInt32BE(day)
  return Buffer.concat([lengthPrefixed(namespace), dayBytes])
}

/** The wrapped form of `key`; another one each time. */
export function wrapLocal(master: MasterKey, context: KeyContext, key: Buffer, random: RandomSource): Buffer {
  const sealed = sealSmall(master.key, LABEL, encodeContext(context), key, random)
  const wrapped = Buffer.alloc(ID_END + sealed.length)
  wrapped[0] = VERSION
  master.id.copy(wrapped, 1)
  sealed.copy(wrapped, ID_END)
  return wrapped
}

/** Throws `Integrity('unwrap failure')` if no master key opens these bytes under this context. */
export function unwrapLocal(masters: ReadonlyMap<string, MasterKey>, wrapped: Buffer, context: KeyContext): Buffer {
  if (wrapped.length < ID_END || wrapped[0] !== VERSION) {
    throw new Integrity('unwrap failure', 'not a key wrapped by a local master key')
  }
  const id = wrapped.toString('hex', 1, ID_END)
  const master = masters.get(id)
  if (master === undefined) throw new Integrity('unwrap failure', `master key ${id} is not among the configured ones`)
  const key = openSmall(master.key, LABEL, encodeContext(context), wrapped.subarray(ID_END))
  if (key?.length !== KEY_BYTES) {
    throw new Integrity('unwrap failure', `the key wrapped under ${id} does not open in this namespace and day`)
  }
  return key
}

/** A new key, by a manager whose provider makes none itself. */
export async function generateByWrapping(
  manager: Pick<KeyManager, 'wrap'>,
  random: RandomSource,
  context: KeyContext,
): Promise<GeneratedKey> {
  const key = drawn(random, KEY_BYTES)
  try {
    return { key, wrapped: await manager.wrap(key, context) }
  } catch (error) {
    key.fill(0)
    throw error
  }
}

/** The same key under the master key that wraps now, by a manager that has to open it for that. */
export async function rewrapByOpening(
  manager: Pick<KeyManager, 'unwrap' | 'wrap'>,
  wrapped: Buffer,
  context: KeyContext,
): Promise<Buffer> {
  const key = await manager.unwrap(wrapped, context)
  try {
    return await manager.wrap(key, context)
  } finally {
    key.fill(0)
  }
}
