/** Who guards the master keys: the group `keys`. */
import { z } from 'zod'
import { awsCredentials, httpEndpoint } from './aws-settings.ts'
import { kmip } from './kmip-settings.ts'
import { azureKeyVault } from './azure-settings.ts'
import { gcpKms } from './gcp-settings.ts'
import { retryPolicy } from './retry-settings.ts'
import { count, duration, path, region, secret, secretBesideFile } from './shapes.ts'
import { vaultTransit } from './vault-settings.ts'

/** The name of a key manager. */
export const alias = z.string().regex(/^[a-z0-9-]{1,15}$/, 'an alias is 1 to 15 characters of a-z, 0-9 and -')

const localManager = z.strictObject({
  type: z.literal('local').describe('`local`: master keys that Sealgate holds itself.'),
  file: path('The master keys file, made on first start. Default: `master-keys.json` inside `data`.').optional(),
  keys: secretBesideFile('The content of a master keys file, in place of `file`.').optional(),
  keysFile: path('File that holds `keys`.').optional(),
  passphrase: secretBesideFile(
    'Derives the master keys (scrypt) instead of keeping them in the file. What stands here stays in memory; what is in `passphraseFile` does not.',
    z.string().min(12, 'use at least 12 characters'),
  ).optional(),
  passphraseFile: path('File that holds `passphrase`. It is read whenever a worker starts.').optional(),
})

const memoryManager = z.strictObject({
  type: z
    .literal('memory')
    .describe('`memory`: a master key that is lost when the process ends. Only with a `memory` backend.'),
})

/** Of every key manager that is somewhere else. */
const remote = {
  timeout: duration('5s', { least: '100ms', most: '1m' }).describe(
    'How long one call of the key manager may take; of AWS KMS, Vault and the clouds, each of the requests that it consists of.',
  ),
  retry: retryPolicy({
    attempts: 'How often a call that was not answered is made at most.',
    defaults: { attempts: 3, budget: '10s', baseDelay: '100ms', maxDelay: '2s' },
  }).prefault({}),
  breaker: z
    .strictObject({
      failures: count({ least: 1, most: 1_000 })
        .default(5)
        .describe('Calls in a row without an answer after which the key manager is not asked any more.'),
      probeInterval: duration('5s', { least: '100ms', most: '10m' }).describe(
        'How long it is not asked then; after that one call tries.',
      ),
    })
    .prefault({}),
}

const caFile = path('Certificates (PEM) of the authorities to trust, in place of those of the system.').optional()

const awsKeyId = z.string().regex(/^[\w:/-]{1,2048}$/, 'write a key id, an ARN, or alias/ and a name')

const awsKmsManager = z.strictObject({
  type: z.literal('aws-kms').describe('`aws-kms`: a symmetric key of AWS KMS.'),
  keyId: awsKeyId.describe('Key of AWS KMS: id, ARN, `alias/name` or ARN of an alias.'),
  formerKeyIds: z
    .array(awsKeyId)
    .default([])
    .describe(
      'Keys of AWS KMS that bucket keys were wrapped by before. Only what these and `keyId` have wrapped is opened.',
    ),
  region: region.describe('Region of the key; of a multi-region key any that has a replica.'),
  endpoint: httpEndpoint.optional().describe('Address of the service, if it is not that of AWS in `region`.'),
  ...awsCredentials('the key manager'),
  caFile,
  ...remote,
})

const tokenText = z
  .string()
  .regex(/^(?! )[^\p{Cc}]{1,64}(?<! )$/u, 'write it as the token tells it, without spaces at its ends')

const pkcs11Key = z
  .strictObject({
    label: tokenText.optional().describe('CKA_LABEL of the key.'),
    id: z
      .string()
      .regex(/^([0-9a-fA-F]{2}){1,128}$/, 'write pairs of hex digits')
      .transform((text) => text.toLowerCase())
      .optional()
      .describe('CKA_ID of the key, in hex.'),
    mechanism: z
      .enum(['aes-gcm', 'aes-key-wrap'], 'write aes-gcm or aes-key-wrap')
      .default('aes-gcm')
      .describe('How the key wraps bucket keys. `aes-key-wrap` does not bind them to bucket and day.'),
  })
  .refine(({ label, id }) => label !== undefined || id !== undefined, 'name the key by label or id')

const pkcs11Manager = z.strictObject({
  type: z
    .literal('pkcs11')
    .describe('`pkcs11`: an AES-256 key in an HSM, by PKCS#11. Needs the package `pkcs11js` (docs/keys.md).'),
  module: path('Path of the PKCS#11 library that came with the HSM, `/usr/lib/softhsm/libsofthsm2.so` for instance.'),
  token: z
    .strictObject({
      label: tokenText.optional().describe('Label of the token.'),
      serial: tokenText.optional().describe('Serial number of the token.'),
      slot: count({ least: 0, most: 2 ** 48 - 1 })
        .optional()
        .describe('Number of its slot, as the library counts.'),
    })
    .refine((token) => Object.keys(token).length > 0, 'name the token by label, serial or slot'),
  pin: secret(
    'PIN of the user of the token; this or `pinFile` is required. A wrong one is tried once: so many lock a token.',
  ),
  key: pkcs11Key,
  formerKeys: z
    .array(pkcs11Key)
    .max(16, 'name at most 16')
    .default([])
    .describe('Keys of the token that bucket keys were wrapped by before.'),
  sessions: count({ least: 1, most: 32 })
    .default(2)
    .describe('Sessions with the token at most, in each worker. Each has a thread of its own.'),
  ...remote,
})

const vaultTransitManager = z.strictObject({ ...vaultTransit, caFile, ...remote })
const kmipManager = z.strictObject({ ...kmip, caFile, ...remote })
const azureKeyVaultManager = z.strictObject({ ...azureKeyVault, caFile, ...remote })
const gcpKmsManager = z.strictObject({ ...gcpKms, caFile, ...remote })

const managerTypes = [
  localManager,
  memoryManager,
  awsKmsManager,
  vaultTransitManager,
  pkcs11Manager,
  kmipManager,
  azureKeyVaultManager,
  gcpKmsManager,
] as const

export const keys = z.strictObject({
  active: alias.default('local').describe('Alias of the key manager that wraps new bucket keys.'),
  failover: z
    .array(alias)
    .max(8, 'name at most 8')
    .default([])
    .describe(
      'Aliases of the key managers that wrap new bucket keys, in this order, while the active one does not answer and no bucket key of its own can be sealed under. Not for buckets with `buckets[].keys`, nor where a client names a key.',
    ),
  managers: z
    .record(
      alias,
      z.discriminatedUnion('type', managerTypes, {
        error:
          'write a map whose `type` is local, memory, aws-kms, vault-transit, pkcs11, kmip, azure-key-vault or gcp-kms',
      }),
    )
    .prefault({ local: { type: 'local' } })
    .describe('Key managers by alias. The alias is written into every object: never rename one.'),
  retired: z
    .array(alias)
    .default([])
    .describe(
      'Key managers that open what they wrapped and under which nothing is sealed, whatever the state store says.',
    ),
  rotation: z
    .strictObject({
      poll: duration('5s', { least: '100ms', most: '1m' }).describe(
        'How often a gateway looks whether a rotation has begun or gone further.',
      ),
      drain: duration('10m', { least: '1s', most: '24h' }).describe(
        'How long a rotation waits for gateways to leave the old key manager before it asks for help.',
      ),
      dualRead: duration('30d', { least: '1s', most: '365d' }).describe(
        'How long the old key manager is still asked for keys that the keyring does not have.',
      ),
    })
    .prefault({})
    .describe('Rotation over all gateways, `sealgate keys rotate`.'),
  bucketKey: z
    .strictObject({
      lifetime: duration('24h', { least: '1h', most: '30d' }).describe('How long one bucket key seals new objects.'),
    })
    .prefault({}),
  cache: z
    .strictObject({
      // A day's key is opened at most eight times: ten calls with those that make it, whatever is stored.
      lifetime: duration('3h', { least: '1s', most: '30d' }).describe(
        'How long an open bucket key is used without asking its key manager again.',
      ),
      grace: duration('24h', { least: '0s', most: '30d' }).describe(
        'How much longer while the key manager does not answer. One that refuses takes its keys back at the end of `lifetime`.',
      ),
      entries: count({ least: 16, most: 1_000_000 })
        .default(4_096)
        .describe('Open bucket keys kept at most, in each worker.'),
    })
    .prefault({}),
})
