import { awsProvider, type CredentialSource, type ProvidedCredentials } from '../backends/s3/credentials.ts'

export interface AwsCredentialSettings {
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly sessionToken?: string | undefined
  readonly auth: CredentialSource
  readonly awsProfile?: string | undefined
}

/** Those that the settings hold, or of the source that they name, asked anew each time. */
export function awsCredentialsOf(settings: AwsCredentialSettings): () => Promise<ProvidedCredentials> {
  const { accessKeyId, secretAccessKey, sessionToken, auth, awsProfile } = settings
  if (accessKeyId === undefined || secretAccessKey === undefined) return awsProvider(auth, awsProfile)
  return async () => ({ accessKeyId, secretAccessKey, sessionToken })
}
