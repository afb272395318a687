/** What every service of AWS, or one that speaks as they do, needs to know. */
import { z } from 'zod'
import { secret } from './shapes.ts'

export const httpEndpoint = z
  .string()
  .regex(/^https?:\/\/[^\s/?#@]+\/?$/, 'write http:// or https://, a host and, if needed, a port')
  .transform((url) => url.replace(/\/$/, ''))

/** Where credentials for `whom` come from. */
export const awsCredentials = (whom: string) => ({
  auth: z
    .enum(
      ['default', 'environment', 'profile', 'web-identity', 'container', 'instance', 'sso'],
      'write default, environment, profile, web-identity, container, instance or sso',
    )
    .default('default')
    .describe(
      `Where credentials of ${whom} come from, as in the AWS SDKs; \`default\` tries all of them. Not used with \`accessKeyId\`.`,
    ),
  awsProfile: z.string().min(1, 'name a profile').optional().describe('Profile for `auth` profile, sso and default.'),
  accessKeyId: z.string().min(1, 'it is empty').optional().describe(`Access key of ${whom}, in place of \`auth\`.`),
  secretAccessKey: secret('Its secret.').optional(),
  sessionToken: secret('Its session token, if it has one.').optional(),
})
