/** What errors and answers of several providers have in common. Their texts quote names and never leave the files that read them. */

/** Such as ECONNREFUSED or CERT_HAS_EXPIRED, of the way to a provider: messages name hosts and files. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : undefined
}

/** The code of OAuth by which a login is refused for good, if the message has one. */
export function refusedLogin(message: string): string | undefined {
  return LOGIN.exec(message)?.[0]
}

const LOGIN = /\b(invalid_client|invalid_grant|invalid_request|invalid_scope|unauthorized_client|access_denied)\b/

/** Milliseconds, of a header `retry-after` in seconds. */
export function patienceOf(header: unknown): number | undefined {
  return typeof header === 'string' && /^\d{1,4}$/.test(header) ? Number(header) * 1_000 : undefined
}
