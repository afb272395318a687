/** The bearer tokens of the admin API. Only their hashes are kept, and a guess costs the same time whatever it shares with a token. */
import { createHash, timingSafeEqual } from 'node:crypto'

export interface AdminAccess {
  /** Whether anybody has a token. */
  readonly configured: boolean
  /** Whose token it is; `undefined` if nobody's. */
  whoHas(token: string): string | undefined
}

export function createAdminAccess(tokens: readonly { readonly name: string; readonly token: string }[]): AdminAccess {
  const known = tokens.map(({ name, token }) => ({ name, digest: digestOf(token) }))
  return {
    configured: known.length > 0,
    whoHas: (token) => {
      const digest = digestOf(token)
      // All of them, each time.
      const [found] = known.filter((one) => timingSafeEqual(one.digest, digest))
      return found?.name
    },
  }
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest()
