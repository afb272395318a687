/** Versions of the keys that a key manager may use: which key they are of, and how they are asked to work. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type {
  AesGcmDecryptParameters,
  AesGcmEncryptParameters,
  DecryptResult,
  EncryptResult,
  KeyVaultKey,
  SignResult,
  UnwrapResult,
  WrapResult,
} from '@azure/keyvault-keys'
import { Denied, Integrity } from '../../errors.ts'
import { withinTime } from '../deadline.ts'
import { azureFailure, isMissing } from './errors.ts'
import { isVersion, type Kind } from './forms.ts'

interface Options {
  readonly abortSignal: AbortSignal
}

/** The calls of the SDK that are made of one version of a key. */
export interface AzureCryptography {
  readonly wrapKey: (algorithm: 'RSA-OAEP-256', key: Uint8Array, options: Options) => Promise<WrapResult>
  readonly unwrapKey: (algorithm: 'RSA-OAEP-256', wrapped: Uint8Array, options: Options) => Promise<UnwrapResult>
  readonly sign: (algorithm: 'PS256', digest: Uint8Array, options: Options) => Promise<SignResult>
  readonly encrypt: (parameters: AesGcmEncryptParameters, options: Options) => Promise<EncryptResult>
  readonly decrypt: (parameters: AesGcmDecryptParameters, options: Options) => Promise<DecryptResult>
}

/** The calls of the SDK that are made. */
export interface AzureCalls {
  readonly keys: { readonly getKey: (name: string, options: Options & { version?: string }) => Promise<KeyVaultKey> }
  readonly cryptography: (key: KeyVaultKey) => AzureCryptography
}

export interface KeyVersionsParts {
  readonly alias: string
  readonly azure: AzureCalls
  readonly keyName: string
  readonly formerKeyNames: readonly string[]
  /** Milliseconds for one call. */
  readonly timeout: number
}

/** One version of one key, of a kind that can be used. */
export interface KeyVersion {
  readonly version: string
  readonly kind: Kind
  /** Of an RSA key. */
  readonly publicKey: KeyObject | undefined
  readonly cryptography: AzureCryptography
}

const NEEDS: Readonly<Record<Kind, readonly string[]>> = {
  rsa: ['wrapKey', 'unwrapKey', 'sign'],
  aes: ['encrypt', 'decrypt'],
}

export class KeyVersions {
  readonly #parts: KeyVersionsParts
  /** By version: they belong to one key each, for ever. There are as many as the keys have. */
  readonly #found = new Map<string, KeyVersion>()

  constructor(parts: KeyVersionsParts) {
    this.#parts = parts
  }

  /** The newest version of `keyName`. Throws `Denied` for one that cannot wrap. */
  async newest(): Promise<KeyVersion> {
    const key = await this.#get(this.#parts.keyName)
    const version = this.#keep(key)
    if (key.properties.enabled === false)
      throw this.#denied('the newest version of the key is disabled', { key: 'disabled' })
    const missing = NEEDS[version.kind].filter((operation) => key.keyOperations?.includes(operation) !== true)
    if (missing.length > 0) {
      throw this.#denied(`the permitted operations of the key lack ${missing.join(' and ')}`)
    }
    return version
  }

  /** That version of one of the keys. Throws `Integrity('unwrap failure')` where none has it. */
  async find(version: string): Promise<KeyVersion> {
    const found = this.#found.get(version)
    if (found !== undefined) return found
    for (const name of this.#names()) {
      const key = await this.#get(name, version).catch((error: unknown) => {
        if (error instanceof Missing) return undefined
        throw error
      })
      if (key !== undefined) return this.#keep(key)
    }
    // No key, or no such version of it: Azure says the same.
    for (const name of this.#names()) await this.#get(name)
    throw new Integrity(
      'unwrap failure',
      `wrapped by a version of a key that key manager ${this.#parts.alias} does not name in keyName or formerKeyNames`,
    )
  }

  /** Throws unless every former key is there. */
  async requireFormer(): Promise<void> {
    for (const name of this.#parts.formerKeyNames) await this.#get(name)
  }

  #names(): readonly string[] {
    return [this.#parts.keyName, ...this.#parts.formerKeyNames]
  }

  async #get(name: string, version?: string): Promise<KeyVaultKey> {
    const { alias, azure, timeout } = this.#parts
    try {
      return await withinTime(timeout, (abortSignal) =>
        azure.keys.getKey(name, { abortSignal, ...(version === undefined ? {} : { version }) }),
      )
    } catch (error) {
      if (version !== undefined && isMissing(error)) throw new Missing()
      throw azureFailure(alias, 'get of the key', error)
    }
  }

  #keep(key: KeyVaultKey): KeyVersion {
    const { version } = key.properties
    if (!isVersion(version)) throw this.#denied('the vault names no version of the key')
    const kept = this.#found.get(version)
    if (kept !== undefined) return kept
    const kind = this.#kindOf(key)
    const { expiresOn: _end, notBefore: _begin, ...properties } = key.properties
    // The SDK would not let a key that has expired open anything, and the vault does; of operations the vault knows what is permitted now.
    const { keyOperations: _kept, ...asked } = key
    const cryptography = this.#parts.azure.cryptography({ ...asked, properties })
    const made = { version, kind, cryptography, publicKey: kind === 'rsa' ? this.#publicKey(key) : undefined }
    this.#found.set(version, made)
    return made
  }

  #kindOf({ keyType }: KeyVaultKey): Kind {
    if (keyType === 'RSA' || keyType === 'RSA-HSM') return 'rsa'
    if (keyType === 'oct-HSM') return 'aes'
    throw this.#denied('the key is neither an RSA key nor, in a Managed HSM, one of AES-256')
  }

  #publicKey({ key: { n, e } = {} }: KeyVaultKey): KeyObject {
    if (n === undefined || e === undefined) throw this.#denied('the vault does not tell the public key')
    const [modulus, exponent] = [n, e].map((bytes) => Buffer.from(bytes).toString('base64url'))
    return createPublicKey({ key: { kty: 'RSA', n: modulus ?? '', e: exponent ?? '' }, format: 'jwk' })
  }

  #denied(why: string, about: { readonly key?: 'disabled' } = {}): Denied {
    return new Denied(`Azure Key Vault, key manager ${this.#parts.alias}: ${why}`, about)
  }
}

class Missing extends Error {}
