/** Continuation tokens: opaque to clients, versioned, valid on every replica. */
import { S3Error } from './errors.ts'

/** Where a page starts: after a name, or after everything that begins with it. The same as `after` and `afterPrefix` of a store. */
export interface ListStart {
  readonly after: string
  readonly afterPrefix: boolean
}

const KINDS = { objects: 1, buckets: 2 } as const

export type TokenKind = keyof typeof KINDS

const VERSION = 1

/** `u8 version ‖ u8 kind ‖ u8 afterPrefix ‖ name as UTF-8`, base64url. */
export const encodeToken = (kind: TokenKind, start: ListStart): string =>
  Buffer.concat([Buffer.from([VERSION, KINDS[kind], start.afterPrefix ? 1 : 0]), Buffer.from(start.after)]).toString(
    'base64url',
  )

/** Throws `InvalidArgument` for anything that `encodeToken` did not make for this kind, the empty token included (B87). */
export const decodeToken = (kind: TokenKind, token: string): ListStart => {
  const bytes = Buffer.from(token, 'base64url')
  const [version, kindCode, flag] = bytes
  const after = bytes.subarray(3).toString()
  const start: ListStart = { after, afterPrefix: flag === 1 }
  // Encoding again is the whole check of canonical base64url, UTF-8 and flag.
  if (version === VERSION && kindCode === KINDS[kind] && encodeToken(kind, start) === token) return start
  throw new S3Error('InvalidArgument', {
    message: 'The continuation token provided is incorrect',
    extra: { ArgumentName: 'continuation-token' },
  })
}
