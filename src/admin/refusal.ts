/** What the admin API answers when it does not do what it was asked. */

/** Status, and what it says where nobody says more. */
export const ADMIN_ERRORS = {
  BadRequest: [400, 'The request is not one that this operation takes.'],
  Unauthorized: [
    401,
    'Send a token of the settings as `Authorization: Bearer TOKEN`, or connect with a client certificate.',
  ],
  Forbidden: [403, 'Not for scripts in a web page.'],
  NotConfigured: [
    403,
    'The admin API is off: set admin.tokenFile, admin.tokens or admin.tls.clientCaFile, and it is on from the next request on, or from the next start if admin.tls is new.',
  ],
  NotFound: [404, 'There is no such operation; GET /v1/openapi.json tells which there are.'],
  Conflict: [409, 'Not in this state.'],
  TooLarge: [413, 'The body is too large.'],
  UnsupportedMediaType: [415, 'A body is application/json.'],
  TooManyRequests: [
    429,
    'Too many requests without a right token; no token is looked at until Retry-After has passed.',
  ],
  Internal: [500, 'Something is wrong inside; the log says what.'],
  Unavailable: [503, 'A store, a key manager or a worker does not answer; the log says which.'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>

export type AdminErrorCode = keyof typeof ADMIN_ERRORS

/** Refuses a call; its message is for whoever called. */
export class AdminRefusal extends Error {
  override readonly name = 'AdminRefusal'
  readonly code: AdminErrorCode

  constructor(code: AdminErrorCode, message: string = ADMIN_ERRORS[code][1], options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
