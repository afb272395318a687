/** Where the credentials for a store come from, and how they stay fresh. */
import { Denied, Unavailable } from '../../errors.ts'
import type { SigningCredentials } from '../../s3/auth/sign.ts'

export interface ProvidedCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

/** Fetches credentials anew. */
export type CredentialProvider = () => Promise<ProvidedCredentials>

/** The sources that settings can name; `default` tries them one after the other, as the AWS SDKs do. */
export type CredentialSource = 'default' | 'environment' | 'profile' | 'web-identity' | 'container' | 'instance' | 'sso'

/** How long before their end credentials are renewed. */
const AHEAD_MILLISECONDS = 5 * 60_000
/** How long after a renewal none is tried while the old credentials are still good, or may be. */
const PAUSE_MILLISECONDS = 10_000

/** Most of the SDK's providers take no options; their types name one that we never give. */
type SdkProvider = (options: {
  readonly forceRefresh: boolean
  readonly callerClientConfig?: never
}) => Promise<ProvidedCredentials>

/** A provider of the AWS SDK, loaded when it is first asked: most gateways need one of them or none. */
export function awsProvider(source: CredentialSource, profile: string | undefined): CredentialProvider {
  // Files are read anew each time: whoever rotates them need not start us anew.
  const named = { ignoreCache: true, ...(profile === undefined ? {} : { profile }) }
  let provider: SdkProvider | undefined
  return async () => {
    if (provider === undefined) {
      const aws = await import('@aws-sdk/credential-providers')
      const makers: Readonly<Record<CredentialSource, () => SdkProvider>> = {
        default: () => aws.fromNodeProviderChain(named),
        environment: () => aws.fromEnv(),
        profile: () => aws.fromIni(named),
        'web-identity': () => aws.fromTokenFile(),
        container: () => aws.fromContainerMetadata(),
        instance: () => aws.fromInstanceMetadata(),
        sso: () => aws.fromSSO(named),
      }
      provider = makers[source]()
    }
    // What the chain keeps for itself may be what the store has just called expired.
    return provider({ forceRefresh: true })
  }
}

export interface CredentialsParts {
  readonly provider: CredentialProvider
  /** Throws for credentials that may not be used. */
  readonly check: (credentials: ProvidedCredentials) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Keeps the credentials of one provider: one renewal at a time, ahead of the end. */
export class StoreCredentials {
  readonly #parts: CredentialsParts
  #current: ProvidedCredentials | undefined
  #renewing: Promise<ProvidedCredentials> | undefined
  #renewedAt = Number.NEGATIVE_INFINITY

  constructor(parts: CredentialsParts) {
    this.#parts = parts
  }

  /** Throws `Unavailable` if there are none, `Denied` for those that may not be used. */
  async get(): Promise<SigningCredentials> {
    const current = this.#current
    const left = (current?.expiration?.getTime() ?? Number.POSITIVE_INFINITY) - this.#parts.now()
    if (current !== undefined && left > AHEAD_MILLISECONDS) return signing(current)
    if (current !== undefined && left > 0) {
      // Still good: nobody waits for the renewal, and one that fails, or brings the same again, is tried again soon.
      if (this.#parts.now() - this.#renewedAt > PAUSE_MILLISECONDS) void this.#renew().catch(() => undefined)
      return signing(current)
    }
    return signing(await this.#renew())
  }

  /** Forgets what a store calls expired, unless it was replaced meanwhile; the next `get` fetches anew. */
  forget(used: SigningCredentials | undefined): void {
    if (this.#isCurrent(used)) this.#current = undefined
  }

  /**
   * Fetches anew in place of what a store does not know: credentials without an end are rotated all the same. Whether there are others
   * now; the provider is not asked again within ten seconds, since the cause may be another.
   */
  async replace(used: SigningCredentials | undefined): Promise<boolean> {
    const due = this.#renewing !== undefined || this.#parts.now() - this.#renewedAt > PAUSE_MILLISECONDS
    if (due && this.#isCurrent(used)) await this.#renew().catch(() => undefined)
    return !this.#isCurrent(used)
  }

  #isCurrent(used: SigningCredentials | undefined): boolean {
    const { accessKeyId, secretAccessKey, sessionToken } = this.#current ?? {}
    return used?.accessKey === accessKeyId && used?.secret === secretAccessKey && used?.sessionToken === sessionToken
  }

  #renew(): Promise<ProvidedCredentials> {
    this.#renewing ??= this.#fetch().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  async #fetch(): Promise<ProvidedCredentials> {
    const { provider, check, now } = this.#parts
    this.#renewedAt = now()
    try {
      const fetched = await provider()
      check(fetched)
      this.#current = fetched
      return fetched
    } catch (error) {
      if (error instanceof Denied) throw error
      throw new Unavailable('no credentials for the store can be had', { cause: error })
    }
  }
}

function signing({ accessKeyId, secretAccessKey, sessionToken }: ProvidedCredentials): SigningCredentials {
  return {
    accessKey: accessKeyId,
    secret: secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  }
}
