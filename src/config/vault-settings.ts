/** A key of the Transit secrets engine of Vault or OpenBao, and the ways to a token. */
import { z } from 'zod'
import { awsCredentials, httpEndpoint } from './aws-settings.ts'
import { path, region } from './shapes.ts'

const PATH_HINT = 'write a path of Vault without /v1/, for example transit or team/transit'
const mountPath = z.string().regex(/^(?!.*\.\.)[\w.-]{1,100}(\/[\w.-]{1,100}){0,9}$/, PATH_HINT)
const mount = mountPath
  .optional()
  .describe('Where the method is mounted in Vault, below `auth/`, if not under its own name.')
const name = z.string().regex(/^\S{1,200}$/, 'write a name without spaces')
const role = name.describe('Role to log in to.')

const byToken = z.strictObject({
  method: z.literal('token').describe('`token`: a token that somebody else gets, as Vault Agent does.'),
  tokenFile: path('File that holds the token. It is read anew before each use.'),
})

const byAppRole = z.strictObject({
  method: z.literal('approle').describe('`approle`: a role id and a secret id.'),
  mount,
  roleId: name.describe('Role id.'),
  secretIdFile: path('File that holds the secret id, if the role has one. It is read anew for each login.').optional(),
})

const byCertificate = z.strictObject({
  method: z.literal('cert').describe('`cert`: the client certificate of the connection.'),
  mount,
  role: role.optional(),
})

const byPassword = z.strictObject({
  method: z.literal('userpass').describe('`userpass`: a name and a password; with `mount: ldap` one of LDAP.'),
  mount,
  username: name.describe('Name to log in with.'),
  passwordFile: path('File that holds the password. It is read anew for each login.'),
})

const jwtFile = path('File that holds the token. It is read anew for each login.')

const byJwt = z.strictObject({
  method: z.literal('jwt').describe('`jwt`: a token of an identity provider (JWT or OIDC).'),
  mount,
  role: role.optional(),
  jwtFile,
})

const byKubernetes = z.strictObject({
  method: z.literal('kubernetes').describe('`kubernetes`: the token of a service account.'),
  mount,
  role,
  jwtFile: jwtFile.default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
})

const byAws = z.strictObject({
  method: z.literal('aws').describe('`aws`: a signed request for the identity of an AWS principal.'),
  mount,
  role: role.optional(),
  region: region.default('us-east-1').describe('Region of the STS that Vault asks; us-east-1 is its global address.'),
  serverId: name.optional().describe('What the method expects in `X-Vault-AWS-IAM-Server-ID`, if anything.'),
  ...awsCredentials('the login to Vault'),
})

/** The settings of a key manager of type `vault-transit`, but for those of every remote one. */
export const vaultTransit = {
  type: z.literal('vault-transit').describe('`vault-transit`: a key of Vault or OpenBao.'),
  address: httpEndpoint.describe('Address of Vault, such as https://vault.example.com:8200.'),
  namespace: mountPath.optional().describe('Namespace of Vault Enterprise or OpenBao, for keys and logins.'),
  mount: mountPath.default('transit').describe('Where the Transit secrets engine is mounted.'),
  keyName: z
    .string()
    .regex(/^\w([\w.-]{0,98}\w)?$/, 'write the name of a key')
    .describe('Name of the Transit key; it has to be derived, aes256-gcm96 and not convergent.'),
  login: z
    .discriminatedUnion('method', [byToken, byAppRole, byCertificate, byPassword, byJwt, byKubernetes, byAws], {
      error: 'write a map whose `method` is token, approle, cert, userpass, jwt, kubernetes or aws',
    })
    .describe('How to come by a token of Vault.'),
  certFile: path(
    'Client certificate (PEM). It is read anew for each connection, as are `keyFile` and `caFile`.',
  ).optional(),
  keyFile: path('Its private key (PEM).').optional(),
}
