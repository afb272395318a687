/** A key of Azure Key Vault or of a Managed HSM, and the ways to a token of Microsoft Entra ID. */
import { z } from 'zod'
import { httpEndpoint } from './aws-settings.ts'
import { path } from './shapes.ts'

const identifier = z.string().regex(/^[\w.-]{1,128}$/, 'write an id, without spaces')
const tenantId = identifier.describe('Tenant of Microsoft Entra ID.')
const clientId = identifier.describe('Id of the application or identity.')
const keyName = z.string().regex(/^[A-Za-z0-9-]{1,127}$/, 'write the name of a key: letters, digits and -')

const byDefault = z.strictObject({
  method: z.literal('default').describe('`default`: whatever DefaultAzureCredential of the SDK finds.'),
})

const byManagedIdentity = z.strictObject({
  method: z.literal('managed-identity').describe('`managed-identity`: the identity of the virtual machine or service.'),
  clientId: clientId.optional(),
})

const byWorkloadIdentity = z.strictObject({
  method: z
    .literal('workload-identity')
    .describe('`workload-identity`: the token of a Kubernetes service account; its webhook sets what is left out.'),
  tenantId: tenantId.optional(),
  clientId: clientId.optional(),
  tokenFile: path('File that holds the token. It is read anew for each login.').optional(),
})

const bySecret = z.strictObject({
  method: z.literal('client-secret').describe('`client-secret`: an application and its secret.'),
  tenantId,
  clientId,
  secretFile: path('File that holds the secret. It is read anew for each login.'),
})

const byCertificate = z.strictObject({
  method: z.literal('client-certificate').describe('`client-certificate`: an application and its certificate.'),
  tenantId,
  clientId,
  certificateFile: path('Certificate with its private key (PEM).'),
})

/** The settings of a key manager of type `azure-key-vault`, but for those of every remote one. */
export const azureKeyVault = {
  type: z
    .literal('azure-key-vault')
    .describe(
      '`azure-key-vault`: an RSA key of Azure Key Vault, or an AES key of a Managed HSM. Needs the packages `@azure/identity` and `@azure/keyvault-keys` (docs/keys.md).',
    ),
  vaultUrl: httpEndpoint.describe('Address of the vault, such as https://backups.vault.azure.net.'),
  keyName: keyName.describe('Name of the key; its newest version wraps.'),
  formerKeyNames: z
    .array(keyName)
    .max(16, 'name at most 16')
    .default([])
    .describe(
      'Keys of the vault that bucket keys were wrapped by before. Only what these and `keyName` have wrapped is opened.',
    ),
  login: z
    .discriminatedUnion('method', [byDefault, byManagedIdentity, byWorkloadIdentity, bySecret, byCertificate], {
      error:
        'write a map whose `method` is default, managed-identity, workload-identity, client-secret or client-certificate',
    })
    .prefault({ method: 'default' })
    .describe('How to come by a token of Microsoft Entra ID.'),
  authorityHost: httpEndpoint
    .optional()
    .describe('Address of Microsoft Entra ID, if it is not https://login.microsoftonline.com.'),
}
