/** Ways to a token. What proves who we are rests in files, which are read anew for each login: it can be replaced while we run. */
import { Denied } from '../../errors.ts'

interface Mounted {
  /** Below `auth/`; default: the name of the method. */
  readonly mount?: string | undefined
}

/** How settings name a way. */
export type LoginSettings =
  | { readonly method: 'token'; readonly tokenFile: string }
  | (Mounted & { readonly method: 'approle'; readonly roleId: string; readonly secretIdFile?: string | undefined })
  | (Mounted & { readonly method: 'cert'; readonly role?: string | undefined })
  | (Mounted & { readonly method: 'userpass'; readonly username: string; readonly passwordFile: string })
  | (Mounted & { readonly method: 'jwt'; readonly role?: string | undefined; readonly jwtFile: string })
  | (Mounted & { readonly method: 'kubernetes'; readonly role: string; readonly jwtFile: string })
  | (Mounted & { readonly method: 'aws'; readonly role?: string | undefined })

/** A signed request for STS GetCallerIdentity, which Vault sends in our place. */
export interface CallerIdentity {
  readonly accessKeyId: string
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface AuthParts {
  /** Throws if there is no such file. */
  readonly readFile: (path: string) => Promise<string>
  /** For the method `aws`. */
  readonly callerIdentity?: () => Promise<CallerIdentity>
}

export interface LoginRequest {
  /** Below `/v1/`. */
  readonly path: string
  readonly body: Readonly<Record<string, string>>
  /** What tells it from another login: one that was refused is not repeated soon. */
  readonly credential: string
}

export type VaultAuth =
  | { readonly kind: 'file'; readonly file: string; readonly token: () => Promise<string> }
  | {
      readonly kind: 'login'
      readonly method: string
      /** What to look at if Vault refuses it. */
      readonly remedy: string
      readonly request: () => Promise<LoginRequest>
    }

/** Reads nothing yet. */
export function vaultAuth(settings: LoginSettings, { readFile, callerIdentity }: AuthParts): VaultAuth {
  if (settings.method === 'token') {
    const file = settings.tokenFile
    return { kind: 'file', file, token: () => secretFrom(readFile, file, TOKEN) }
  }
  const { method, mount = method } = settings
  const { path, remedy, body } = requestOf(settings, (file) => secretFrom(readFile, file), callerIdentity)
  return {
    kind: 'login',
    method,
    remedy,
    request: async () => {
      const { credential, ...fields } = await body()
      return { path: `auth/${mount}/${path}`, body: fields, credential: credential ?? JSON.stringify(fields) }
    },
  }
}

interface Recipe {
  readonly path: string
  readonly remedy: string
  readonly body: () => Promise<Record<string, string>>
}

function requestOf(
  settings: Exclude<LoginSettings, { method: 'token' }>,
  secret: (file: string) => Promise<string>,
  callerIdentity: AuthParts['callerIdentity'],
): Recipe {
  switch (settings.method) {
    case 'approle': {
      const { roleId, secretIdFile } = settings
      return {
        path: 'login',
        remedy: 'look at roleId, and write a new secret id to secretIdFile',
        body: async () => ({
          role_id: roleId,
          ...(secretIdFile === undefined ? {} : { secret_id: await secret(secretIdFile) }),
        }),
      }
    }
    case 'userpass': {
      const { username, passwordFile } = settings
      return {
        path: `login/${encodeURIComponent(username)}`,
        remedy: 'look at username and passwordFile',
        body: async () => ({ password: await secret(passwordFile) }),
      }
    }
    case 'cert':
      return {
        path: 'login',
        remedy: 'look at certFile, and at the certificate that Vault trusts for this role',
        body: async () => named('name', settings.role),
      }
    case 'jwt':
    case 'kubernetes': {
      const { role, jwtFile } = settings
      return {
        path: 'login',
        remedy: 'look at role and jwtFile, and at the audience and the end of the token in it',
        body: async () => ({ ...named('role', role), jwt: await secret(jwtFile) }),
      }
    }
    case 'aws':
    default:
      return {
        path: 'login',
        remedy: 'look at role, and at the principal that it is bound to',
        body: async () => ({ ...named('role', settings.role), ...(await identityFields(callerIdentity)) }),
      }
  }
}

const named = (name: string, value: string | undefined): Record<string, string> =>
  value === undefined ? {} : { [name]: value }

async function identityFields(callerIdentity: AuthParts['callerIdentity']): Promise<Record<string, string>> {
  const signed = await callerIdentity?.()
  if (signed === undefined) throw new Denied('there are no AWS credentials to log in to Vault with')
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  return {
    // The signature is another each second.
    credential: signed.accessKeyId,
    iam_http_request_method: 'POST',
    iam_request_url: base64(signed.url),
    iam_request_body: base64(signed.body),
    iam_request_headers: base64(JSON.stringify(signed.headers)),
  }
}

/** One line. */
const SECRET = /^[^\p{Cc}]+$/u
/** What a header carries. */
const TOKEN = /^[\x21-\x7e]+$/

async function secretFrom(readFile: AuthParts['readFile'], file: string, shape = SECRET): Promise<string> {
  const text = await readFile(file).catch(() => {
    throw new Denied(`${file} cannot be read, and the key manager logs in to Vault with what it holds`)
  })
  const secret = text.trim()
  if (!shape.test(secret)) throw new Denied(`${file} does not hold one line with what to log in to Vault with`)
  return secret
}
