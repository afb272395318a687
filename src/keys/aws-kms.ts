/** The key manager whose master key is in AWS KMS. It never sees the key itself: KMS makes bucket keys and opens them. */
import type { DescribeKeyCommandOutput, KMS } from '@aws-sdk/client-kms'
import { Denied, Integrity, Unavailable } from '../errors.ts'
import { KEY_BYTES } from '../format/derive.ts'
import { takeCopy } from '../secret-bytes.ts'
import { kmsFailure, mayBeStrange } from './aws-kms/errors.ts'
import { withinTime } from './deadline.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'

/** The calls that are made: the aggregated client of the SDK has them. */
export type KmsCalls = Pick<KMS, 'generateDataKey' | 'encrypt' | 'decrypt' | 'reEncrypt' | 'describeKey' | 'destroy'>

export interface AwsKmsParts {
  readonly alias: string
  readonly kms: KmsCalls
  /** Key id, ARN, `alias/…` or ARN of an alias; a multi-region key in any of its regions. */
  readonly keyId: string
  /** Keys that bucket keys were wrapped by before. */
  readonly formerKeyIds?: readonly string[]
  /** Milliseconds for one call. */
  readonly timeout: number
}

/** What KMS accepts as a ciphertext of a symmetric key. */
const MAX_WRAPPED_BYTES = 6_144

/** What is wrapped and opened to see whether that is permitted; no key. */
const PROBE = Buffer.from('sealgate')

type Call<T> = (options: { abortSignal: AbortSignal }) => Promise<T>
type Opening<T> = (wrapped: Buffer, options: { abortSignal: AbortSignal }) => Promise<T>

/** Provider tag `a`. The encryption context is that of docs/format.md, "Envelope". */
export class AwsKmsKeyManager implements KeyManager {
  readonly tag = 'a'
  readonly alias: string
  readonly #kms: KmsCalls
  readonly #keyId: string
  readonly #formerKeyIds: readonly string[]
  readonly #timeout: number
  #closed = false
  #trusted: Promise<Trusted> | undefined

  constructor({ alias, kms, keyId, formerKeyIds = [], timeout }: AwsKmsParts) {
    this.alias = alias
    this.#kms = kms
    this.#keyId = keyId
    this.#formerKeyIds = formerKeyIds
    this.#timeout = timeout
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    const made = await this.#ask('GenerateDataKey', (options) =>
      this.#kms.generateDataKey(
        { KeyId: this.#keyId, KeySpec: 'AES_256', EncryptionContext: encryptionContext(context) },
        options,
      ),
    )
    return { key: ownBytes(made.Plaintext), wrapped: ownBytes(made.CiphertextBlob) }
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    const made = await this.#ask('Encrypt', (options) =>
      this.#kms.encrypt({ KeyId: this.#keyId, Plaintext: key, EncryptionContext: encryptionContext(context) }, options),
    )
    return ownBytes(made.CiphertextBlob)
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    requireCiphertext(wrapped)
    const bound = { EncryptionContext: encryptionContext(context) }
    const opened = await this.#open('Decrypt', context, wrapped, (CiphertextBlob, options) =>
      this.#kms.decrypt({ CiphertextBlob, ...bound }, options),
    )
    const key = ownBytes(opened.Plaintext)
    try {
      if (key.length !== KEY_BYTES) throw new Integrity('unwrap failure', `${key.length} bytes are no bucket key`)
      await this.#requireOurs(opened.KeyId)
    } catch (error) {
      key.fill(0)
      throw error
    }
    return key
  }

  async rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    requireCiphertext(wrapped)
    const bound = encryptionContext(context)
    const made = await this.#open('ReEncrypt', context, wrapped, (CiphertextBlob, options) =>
      this.#kms.reEncrypt(
        {
          CiphertextBlob,
          SourceEncryptionContext: bound,
          DestinationKeyId: this.#keyId,
          DestinationEncryptionContext: bound,
        },
        options,
      ),
    )
    await this.#requireOurs(made.SourceKeyId)
    return ownBytes(made.CiphertextBlob)
  }

  async health(): Promise<void> {
    const { KeyMetadata } = await this.#describe(this.#keyId)
    if (KeyMetadata === undefined) throw new Unavailable(STRANGE)
    if (KeyMetadata.Enabled !== true) {
      const state = KeyMetadata.KeyState ?? 'unknown'
      throw new Denied(`the AWS KMS key of ${this.alias} is ${state}, not Enabled`, {
        key: state === 'Disabled' ? 'disabled' : 'wrong-state',
      })
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#kms.destroy()
  }

  /**
   * KMS opens whatever any key that we may use has wrapped, one of another account too: whoever writes the state store
   * could bring a bucket key of their own. An alias may have moved since we asked.
   */
  async #requireOurs(arn: string | undefined): Promise<void> {
    const key = regionless(arn)
    const known = this.#trusted
    if (known !== undefined && has(await known, key)) return
    if (this.#trusted === known) this.#trusted = this.#resolve()
    const trusted = await (this.#trusted ?? this.#resolve())
    if (has(trusted, key)) return
    // It may be the one that KMS does not tell about.
    if (trusted.failure !== undefined) throw trusted.failure
    throw new Integrity(
      'unwrap failure',
      `wrapped by an AWS KMS key that key manager ${this.alias} does not name in keyId or formerKeyIds`,
    )
  }

  /** A former key that was deleted takes nothing from the others. */
  async #resolve(): Promise<Trusted> {
    const found = await Promise.allSettled([this.#keyId, ...this.#formerKeyIds].map((id) => this.#describe(id)))
    const keys = found.map((one) => (one.status === 'fulfilled' ? regionless(one.value.KeyMetadata?.Arn) : undefined))
    const failed = found.find((one) => one.status === 'rejected')
    return { keys: new Set(keys), failure: asError(failed?.reason) }
  }

  /**
   * KMS says of bytes that name no key, or one of somebody else, what it says where a permission is missing. Where the same works
   * with what our keys have just wrapped, the bytes are wrong.
   */
  async #open<T>(action: string, context: KeyContext, wrapped: Buffer, work: Opening<T>): Promise<T> {
    let strange = false
    const watched: Call<T> = (options) =>
      work(wrapped, options).catch((error: unknown) => {
        strange = mayBeStrange(error)
        throw error
      })
    try {
      return await this.#ask(action, watched)
    } catch (error) {
      if (!strange || !(await this.#canOpenOwn(context, work))) throw error
      throw new Integrity('unwrap failure', `bytes that no AWS KMS key of key manager ${this.alias} wrapped`)
    }
  }

  async #canOpenOwn(context: KeyContext, work: Opening<unknown>): Promise<boolean> {
    const bound = { Plaintext: PROBE, EncryptionContext: encryptionContext(context) }
    const tries = [this.#keyId, ...this.#formerKeyIds].map((KeyId) =>
      withinTime(this.#timeout, async (abortSignal) => {
        const { CiphertextBlob } = await this.#kms.encrypt({ KeyId, ...bound }, { abortSignal })
        await work(ownBytes(CiphertextBlob), { abortSignal })
      }),
    )
    const outcomes = await Promise.allSettled(tries)
    return outcomes.every(({ status }) => status === 'fulfilled')
  }

  #describe(KeyId: string): Promise<DescribeKeyCommandOutput> {
    return this.#ask('DescribeKey', (options) => this.#kms.describeKey({ KeyId }, options))
  }

  async #ask<T>(action: string, call: Call<T>): Promise<T> {
    if (this.#closed) throw new Unavailable(`key manager ${this.alias} is closed`)
    try {
      return await withinTime(this.#timeout, (abortSignal) => call({ abortSignal }))
    } catch (error) {
      throw kmsFailure(this.alias, action, error)
    }
  }
}

function encryptionContext({ namespace, day }: KeyContext): Record<string, string> {
  return { 'sealgate:namespace': namespace, 'sealgate:day': String(day) }
}

function requireCiphertext(wrapped: Buffer): void {
  if (wrapped.length > 0 && wrapped.length <= MAX_WRAPPED_BYTES) return
  throw new Integrity('unwrap failure', `${wrapped.length} bytes are no ciphertext of AWS KMS`)
}

const STRANGE = 'something answers that is not AWS KMS'

/** A copy outside every pool; what came is wiped. */
function ownBytes(found: Uint8Array | undefined): Buffer {
  if (found === undefined || found.length === 0) throw new Unavailable(STRANGE)
  return takeCopy(found)
}

interface Trusted {
  /** The keys whose work is ours, without their regions. */
  readonly keys: ReadonlySet<string | undefined>
  /** Why there may be more. */
  readonly failure: Error | undefined
}

const has = ({ keys }: Trusted, key: string | undefined): boolean => key !== undefined && keys.has(key)

const asError = (reason: unknown): Error | undefined => (reason instanceof Error ? reason : undefined)

/** `partition:account:key/id`: the replicas of a multi-region key have the same in all regions. */
function regionless(arn: string | undefined): string | undefined {
  const [, partition, service, , account, ...rest] = (arn ?? '').split(':')
  return service === 'kms' ? [partition, account, ...rest].join(':') : undefined
}
