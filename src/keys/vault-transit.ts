/** The key manager whose master key is a key of the Transit secrets engine of Vault or OpenBao, which never gives it away. */
import { Denied, Integrity, Unavailable } from '../errors.ts'
import { KEY_BYTES } from '../format/derive.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { encodeContext } from './local-wrap.ts'
import { objectIn, plaintextOf } from './vault-transit/answer.ts'
import { encodeBase64 } from './base64.ts'
import { type Ciphertext, parseCiphertext } from './vault-transit/ciphertext.ts'
import type { VaultAnswer } from './vault-transit/client.ts'
import { isMissing, type TransitKey, transitFailure, wrongKey } from './vault-transit/errors.ts'
import type { VaultSession } from './vault-transit/session.ts'

export interface VaultTransitParts {
  readonly alias: string
  readonly session: Pick<VaultSession, 'call' | 'close'>
  readonly key: TransitKey
}

type Operation = 'datakey/wrapped' | 'encrypt' | 'decrypt' | 'rewrap'

/** Provider tag `v`. A wrapped key is the text that Transit gives, bound to its context by the key's derivation (docs/format.md, "Envelope"). */
export class VaultTransitKeyManager implements KeyManager {
  readonly tag = 'v'
  readonly alias: string
  readonly #session: VaultTransitParts['session']
  readonly #key: TransitKey
  /** That the key is of the kind that binds the context; `undefined` while nobody knows. */
  #kind: Promise<void> | undefined

  constructor({ alias, session, key }: VaultTransitParts) {
    this.alias = alias
    this.#session = session
    this.#key = key
  }

  /** Opened at once, so that no key is used that Transit would not give back. */
  async generate(context: KeyContext): Promise<GeneratedKey> {
    await this.#rightKind()
    const answer = await this.#ask('datakey/wrapped', jsonOf(context, { bits: KEY_BYTES * 8 }))
    const made = this.#ciphertextOf(answer)
    return { key: await this.#decrypt(made, context), wrapped: Buffer.from(made.text) }
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    await this.#rightKind()
    const text = encodeBase64(key)
    const head = jsonOf(context).subarray(0, -1)
    const body = Buffer.concat([head, Buffer.from(',"plaintext":"'), text, Buffer.from('"}')])
    text.fill(0)
    return Buffer.from(this.#ciphertextOf(await this.#ask('encrypt', body)).text)
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    const ciphertext = parseCiphertext(wrapped)
    await this.#rightKind()
    return this.#decrypt(ciphertext, context)
  }

  async rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    const { text, version } = parseCiphertext(wrapped)
    await this.#rightKind()
    const answer = await this.#ask('rewrap', jsonOf(context, { ciphertext: text }), version)
    return Buffer.from(this.#ciphertextOf(answer).text)
  }

  async health(): Promise<void> {
    this.#kind = undefined
    await this.#rightKind()
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  async #decrypt({ text, version }: Ciphertext, context: KeyContext): Promise<Buffer> {
    const { body } = await this.#ask('decrypt', jsonOf(context, { ciphertext: text }), version)
    const key = plaintextOf(body)
    body.fill(0)
    if (key?.length === KEY_BYTES) return key
    key?.fill(0)
    throw new Integrity('unwrap failure', `Vault, key manager ${this.alias}: what was opened is no bucket key`)
  }

  /** A key that is not derived takes a context and ignores it: bucket keys would open for any bucket. */
  #rightKind(): Promise<void> {
    this.#kind ??= this.#lookAtKey().catch((error: unknown) => {
      this.#kind = undefined
      throw error
    })
    return this.#kind
  }

  async #lookAtKey(): Promise<void> {
    const answer = await this.#session.call({ method: 'GET', path: `${this.#key.mount}/keys/${this.#key.name}` })
    if (answer.status !== 200) throw transitFailure(this.alias, 'read', this.#key, answer)
    const key = objectIn(answer.body, 'data')
    if (typeof key?.['type'] !== 'string') throw this.#strangeAnswer()
    const { type, derived, convergent_encryption: convergent } = key
    const kind = `${known(type)}, ${derived === true ? 'derived' : 'not derived'}${convergent === true ? ', convergent' : ''}`
    if (kind !== RIGHT_KIND) throw new Denied(`Vault, key manager ${this.alias}: ${wrongKey(this.#key, kind)}`)
  }

  #ciphertextOf({ body }: VaultAnswer): Ciphertext {
    const text = objectIn(body, 'data')?.['ciphertext']
    if (typeof text !== 'string') throw this.#strangeAnswer()
    return parseCiphertext(Buffer.from(text))
  }

  #strangeAnswer(): Unavailable {
    return new Unavailable(`Vault, key manager ${this.alias}: something answers that is not Vault`)
  }

  /** `body` is wiped. */
  async #ask(operation: Operation, body: Buffer, version?: number): Promise<VaultAnswer> {
    const { mount, name } = this.#key
    const path = `${mount}/${operation}/${name}`
    const answer = await this.#session.call({ method: 'POST', path, body }).finally(() => body.fill(0))
    if (answer.status === 200) return answer
    // The next key of that name may be of another kind.
    if (isMissing(answer)) this.#kind = undefined
    throw transitFailure(this.alias, operation, this.#key, answer, version)
  }
}

const RIGHT_KIND = 'aes256-gcm96, derived'

/** A type as it may stand in a message. */
const known = (type: string): string => (/^[a-z0-9-]{1,40}$/.test(type) ? type : 'of an unknown type')

function jsonOf(context: KeyContext, fields: Readonly<Record<string, string | number>> = {}): Buffer {
  return Buffer.from(JSON.stringify({ context: encodeContext(context).toString('base64'), ...fields }))
}
