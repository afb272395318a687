/** The key manager whose master key is in Azure Key Vault or a Managed HSM, and never leaves it. */
import { constants, verify } from 'node:crypto'
import { Integrity, Unavailable } from '../errors.ts'
import { KEY_BYTES, type RandomSource } from '../format/derive.ts'
import { takeCopy } from '../secret-bytes.ts'
import { azureFailure } from './azure-key-vault/errors.ts'
import { digestOf, type Form, IV_BYTES, parseForm, renderForm, signedText, TAG_BYTES } from './azure-key-vault/forms.ts'
import { type KeyVersion, KeyVersions, type KeyVersionsParts } from './azure-key-vault/key-versions.ts'
import { withinTime } from './deadline.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { encodeContext, generateByWrapping, rewrapByOpening } from './local-wrap.ts'

export interface AzureKeyVaultParts extends KeyVersionsParts {
  readonly random: RandomSource
}

/** Provider tag `z`. Bound to its context by a signature (RSA) or as associated data (AES-GCM). */
export class AzureKeyVaultKeyManager implements KeyManager {
  readonly tag = 'z'
  readonly alias: string
  readonly #random: RandomSource
  readonly #timeout: number
  readonly #versions: KeyVersions
  #closed = false

  constructor({ random, ...parts }: AzureKeyVaultParts) {
    this.alias = parts.alias
    this.#random = random
    this.#timeout = parts.timeout
    this.#versions = new KeyVersions(parts)
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    return generateByWrapping(this, this.#random, context)
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    this.#requireOpen()
    const bound = encodeContext(context)
    const master = await this.#versions.newest()
    return master.kind === 'rsa' ? this.#wrapRsa(master, key, bound) : this.#wrapAes(master, key, bound)
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    this.#requireOpen()
    const form = parseForm(wrapped)
    const bound = encodeContext(context)
    const master = await this.#versions.find(form.version)
    if (form.kind !== master.kind) throw this.#strange('wrapped by a key of another kind')
    const opened = form.kind === 'rsa' ? this.#unwrapRsa(master, form, bound) : this.#unwrapAes(master, form, bound)
    return ownKey(await opened)
  }

  async rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return rewrapByOpening(this, wrapped, context)
  }

  async health(): Promise<void> {
    this.#requireOpen()
    await this.#versions.newest()
    await this.#versions.requireFormer()
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  async #wrapRsa({ version, cryptography }: KeyVersion, key: Buffer, context: Buffer): Promise<Buffer> {
    const { result: ciphertext } = await this.#ask('wrapKey', (options) =>
      cryptography.wrapKey('RSA-OAEP-256', key, options),
    )
    const digest = digestOf(signedText(version, context, ciphertext))
    const { result: signature } = await this.#ask('sign', (options) => cryptography.sign('PS256', digest, options))
    return this.#rendered(renderForm('rsa', version, ciphertext, signature))
  }

  async #unwrapRsa({ publicKey, cryptography }: KeyVersion, { version, body }: Form, context: Buffer) {
    const [ciphertext, signature] = [body.subarray(0, body.length / 2), body.subarray(body.length / 2)]
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    const text = signedText(version, context, ciphertext)
    if (publicKey === undefined || !verify('sha256', text, { key: publicKey, ...padding }, signature)) {
      throw this.#strange('not signed for this namespace and day by the key that it names')
    }
    const opened = await this.#ask('unwrapKey', (options) =>
      cryptography.unwrapKey('RSA-OAEP-256', ciphertext, options),
    )
    return opened.result
  }

  async #wrapAes({ version, cryptography }: KeyVersion, key: Buffer, context: Buffer): Promise<Buffer> {
    const parameters = { algorithm: 'A256GCM', plaintext: key, additionalAuthenticatedData: context } as const
    const { iv, result, authenticationTag } = await this.#ask('encrypt', (options) =>
      cryptography.encrypt(parameters, options),
    )
    const [nonce, tag] = [iv ?? new Uint8Array(), authenticationTag ?? new Uint8Array()]
    return this.#rendered(renderForm('aes', version, nonce, result, tag))
  }

  async #unwrapAes({ cryptography }: KeyVersion, { body }: Form, context: Buffer): Promise<Uint8Array> {
    const parameters = {
      algorithm: 'A256GCM',
      iv: body.subarray(0, IV_BYTES),
      ciphertext: body.subarray(IV_BYTES, -TAG_BYTES),
      authenticationTag: body.subarray(-TAG_BYTES),
      additionalAuthenticatedData: context,
    } as const
    const opened = await this.#ask('decrypt', (options) => cryptography.decrypt(parameters, options))
    return opened.result
  }

  /** What the vault made, once it has the lengths by which it can be read again. */
  #rendered(wrapped: Buffer): Buffer {
    try {
      parseForm(wrapped)
    } catch {
      // Nobody gave us bytes that could be wrong: it is the answer.
      throw new Unavailable(`Azure Key Vault, key manager ${this.alias}: something answers that is not a vault`)
    }
    return wrapped
  }

  #requireOpen(): void {
    if (this.#closed) throw new Unavailable(`key manager ${this.alias} is closed`)
  }

  #strange(why: string): Integrity {
    return new Integrity('unwrap failure', `Azure Key Vault, key manager ${this.alias}: ${why}`)
  }

  async #ask<T extends { readonly result: Uint8Array }>(
    operation: string,
    call: (options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    try {
      const answer = await withinTime(this.#timeout, (abortSignal) => call({ abortSignal }))
      // The SDK takes any JSON, and pages of proxies, for answers.
      if (answer.result instanceof Uint8Array) return answer
      throw new Error('something answers that is not a vault')
    } catch (error) {
      throw azureFailure(this.alias, operation, error, operation === 'unwrapKey' || operation === 'decrypt')
    }
  }
}

/** A copy in a buffer of its own; what came is wiped. */
function ownKey(found: Uint8Array): Buffer {
  const own = takeCopy(found)
  if (own.length === KEY_BYTES) return own
  own.fill(0)
  throw new Integrity('unwrap failure', `Azure Key Vault opened ${found.length} bytes, which are no bucket key`)
}
