/** Settings of the admin listener. */
import { z } from 'zod'
import { hostAndPort, path, secret, switchedOff } from './shapes.ts'

const token = (description: string) =>
  secret(
    description,
    z
      .string()
      .regex(
        /^[A-Za-z0-9._~+/=-]{32,256}$/,
        'a token is 32 to 256 characters of A-Z, a-z, 0-9 and . _ ~ + / = -, for example from `openssl rand -hex 32`',
      ),
  )

const namedToken = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name is 1 to 64 characters of A-Z, a-z, 0-9 and . _ -')
    .describe('Who has it, as the audit says.'),
  token: token('Token of the admin API; this or `tokenFile` is required.'),
})

const tls = z.strictObject({
  certFile: path('Certificate chain in PEM. With it and `keyFile` the listener serves HTTPS.'),
  keyFile: path('Private key of `certFile` in PEM.'),
  clientCaFile: path(
    'Certificates in PEM of the authorities whose client certificates let in to the admin API. Everybody who has one is an administrator: take an authority that signs nothing else.',
  ).optional(),
})

export const admin = z.strictObject({
  listen: z
    .union([switchedOff, hostAndPort], { error: 'write host:port, for example 127.0.0.1:8081, or off' })
    .prefault('127.0.0.1:8081')
    .describe(
      'Address of the admin listener (`/healthz`, `/readyz`, `/metrics`, and the admin API below `/v1`), or `off`. Keep it away from clients.',
    ),
  token: token(
    'Bearer token of the admin API, with the name `admin`. The API is off without a token or `tls.clientCaFile`; beyond loopback it needs `tls`.',
  ).optional(),
  tokens: z.array(namedToken).default([]).describe('Bearer tokens of several people or programs.'),
  profiling: z
    .boolean('write true or false')
    .default(false)
    .describe(
      'Let administrators look into the processes (`/v1/profile` of the admin API). A heap snapshot holds secrets.',
    ),
  tls: tls
    .optional()
    .describe('Serve HTTPS. With `clientCaFile` a client certificate lets in to the admin API, and a token does too.'),
})

export interface AdminToken {
  readonly name: string
  readonly token: string
}

/** Everybody who may use the admin API by a token. */
export function adminTokens({
  token,
  tokens,
}: {
  readonly token?: string | undefined
  readonly tokens: readonly AdminToken[]
}): readonly AdminToken[] {
  return [...(token === undefined ? [] : [{ name: 'admin', token }]), ...tokens]
}
