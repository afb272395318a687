/** A key of Google Cloud KMS, and who asks for it. */
import { z } from 'zod'
import { httpEndpoint } from './aws-settings.ts'
import { path } from './shapes.ts'

const keyName = z
  .string()
  .regex(
    /^projects\/[\w.:-]{1,100}\/locations\/[\w-]{1,63}\/keyRings\/[\w-]{1,63}\/cryptoKeys\/[\w-]{1,63}$/,
    'write projects/P/locations/L/keyRings/R/cryptoKeys/K',
  )

/** The settings of a key manager of type `gcp-kms`, but for those of every remote one. */
export const gcpKms = {
  type: z
    .literal('gcp-kms')
    .describe('`gcp-kms`: a symmetric key of Google Cloud KMS. Needs the package `@google-cloud/kms` (docs/keys.md).'),
  keyName: keyName.describe('Resource name of the key, without a version; its primary version wraps.'),
  formerKeyNames: z
    .array(keyName)
    .max(16, 'name at most 16')
    .default([])
    .describe('Keys that bucket keys were wrapped by before. Only what these and `keyName` have wrapped is opened.'),
  endpoint: httpEndpoint.optional().describe('Address of the service, if it is not https://cloudkms.googleapis.com.'),
  credentialsFile: path(
    'Credentials (JSON) of a service account or of workload identity federation, in place of Application Default Credentials.',
  ).optional(),
}
