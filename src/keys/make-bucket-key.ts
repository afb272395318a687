/** A new bucket key, which its manager has opened again: what could not be read is not written. */
import { Integrity, Internal, Unavailable } from '../errors.ts'
import { kidOf, KEY_BYTES, sameBytes } from '../format/derive.ts'
import { takeSecret } from '../secret-bytes.ts'
import type { BucketKey, GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'

/** Throws what the manager throws, and `Unavailable` for one that does not open what it makes. */
export async function makeBucketKey(manager: KeyManager, context: KeyContext): Promise<BucketKey> {
  const { tag, alias } = manager
  const made = await manager.generate(context).catch((error: unknown) => {
    throw asUnfit(manager, error)
  })
  const { wrapped } = made
  const key = takeSecret(made.key)
  try {
    if (key.length !== KEY_BYTES) throw new Internal(`key manager ${alias} made a key of ${key.length} bytes`)
    await requireOpens(manager, { key, wrapped }, context)
  } catch (error) {
    key.dispose()
    throw error
  }
  return { tag, alias, kid: kidOf(key), wrapped, key, ...context }
}

/** What a key has sealed that its manager does not open again, for want of a permission for instance, is lost when the last process ends. */
async function requireOpens(manager: KeyManager, { key, wrapped }: GeneratedKey, context: KeyContext): Promise<void> {
  try {
    const opened = await manager.unwrap(wrapped, context)
    const same = sameBytes(opened, key)
    opened.fill(0)
    if (!same) throw new Integrity('unwrap failure', 'it opens to something else')
  } catch (error) {
    throw asUnfit(manager, error)
  }
}

function asUnfit({ alias }: KeyManager, error: unknown): unknown {
  if (!(error instanceof Integrity)) return error
  const message = `key manager ${alias} does not open the bucket key that it has just made`
  return new Unavailable(message, { cause: error })
}
