/** The key manager whose master key is in a KMIP server. */
import { Denied, Unavailable } from '../errors.ts'
import { KEY_BYTES, type RandomSource } from '../format/derive.ts'
import type { SecretBytes } from '../secret-bytes.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { KmipClient } from './kmip/client.ts'
import { type KmipTls, openConnection, type Place } from './kmip/connection.ts'
import { kmipFailure } from './kmip/errors.ts'
import { KmipFault } from './kmip/fault.ts'
import { type Form, type MechanismName, parseForm, renderForm } from './kmip/forms.ts'
import { type KeyChoice, KeyObject } from './kmip/key-object.ts'
import { EncryptingKey, FetchedKey, type MasterKey, type WrappingKey } from './kmip/master-key.ts'
import type { Credential } from './kmip/messages.ts'
import { KmipPool } from './kmip/pool.ts'
import { encodeContext, generateByWrapping, rewrapByOpening } from './local-wrap.ts'

export interface MasterKeyChoice extends KeyChoice {
  readonly mechanism: MechanismName
}

export interface KmipParts {
  readonly alias: string
  readonly place: Place
  /** Asked for each new connection: certificates are renewed while we run. */
  readonly tls: () => Promise<KmipTls>
  readonly credential?: Credential | undefined
  /** The key that the server wraps keys by which it gives away; the mechanism `get` needs it. `close` ends it. */
  readonly wrapping?: (KeyChoice & { readonly key: SecretBytes }) | undefined
  /** The first one wraps, all open. */
  readonly keys: readonly [MasterKeyChoice, ...MasterKeyChoice[]]
  /** At most. */
  readonly connections: number
  /** Milliseconds for one call, whatever it takes. */
  readonly timeout: number
  readonly random: RandomSource
}

/** Provider tag `k`. A wrapped key is bound to its context, by the server or by us (docs/keys.md, "KMIP"). */
export class KmipKeyManager implements KeyManager {
  readonly tag = 'k'
  readonly alias: string
  readonly #timeout: number
  readonly #random: RandomSource
  readonly #client: KmipClient
  readonly #active: MasterKey
  readonly #keys: readonly MasterKey[]
  readonly #wrapping: WrappingKey | undefined
  #closed = false

  constructor({ alias, place, tls, credential, wrapping, keys, connections, timeout, random }: KmipParts) {
    this.alias = alias
    this.#timeout = timeout
    this.#random = random
    const open = async (signal: AbortSignal) => openConnection(place, await readTls(tls), signal)
    this.#client = new KmipClient({ pool: new KmipPool({ connections, open }), credential, random })
    this.#wrapping = wrapping && { object: new KeyObject('wrappingKey', wrapping, this.#client), key: wrapping.key }
    const [active, ...former] = keys
    this.#active = this.#masterKey('key', active)
    this.#keys = [this.#active, ...former.map((choice, i) => this.#masterKey(`formerKeys[${i}]`, choice))]
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    return generateByWrapping(this, this.#random, context)
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call(async (signal) =>
      renderForm(this.#active.mechanism, await this.#active.seal(key, encodeContext(context), signal)),
    )
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call((signal) => this.#open(parseForm(wrapped), encodeContext(context), signal))
  }

  async rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return rewrapByOpening(this, wrapped, context)
  }

  async health(): Promise<void> {
    await this.#call(async (signal) => {
      this.#client.forgetVersion()
      for (const { object } of [...this.#keys, ...(this.#wrapping === undefined ? [] : [this.#wrapping])])
        object.forget()
      const lacking = await this.#client.lacking([...this.#active.operations, 'GetAttributes'], signal)
      if (lacking.length > 0) throw new KmipFault({ reason: 'operations', detail: lacking.join(', ') })
      if (this.#active instanceof EncryptingKey) await this.#active.requireUsage(signal)
      await this.#prove(signal)
      for (const { object } of this.#keys.slice(1))
        await object.use((id) => this.#client.attributes(id, signal), signal)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#client.close()
    this.#wrapping?.key.dispose()
  }

  #masterKey(setting: string, { mechanism, ...choice }: MasterKeyChoice): MasterKey {
    const object = new KeyObject(setting, choice, this.#client)
    if (mechanism === 'encrypt') return new EncryptingKey(object, this.#client, this.#random)
    if (this.#wrapping === undefined) throw new Denied(`key manager ${this.alias}: get needs a wrapping key`)
    // Whoever revokes the key in use takes back what it wrapped, until somebody names it as a former one.
    const states = setting === 'key' ? (['Active'] as const) : (['Active', 'Deactivated', 'Compromised'] as const)
    return new FetchedKey(object, states, this.#client, this.#wrapping, this.#random)
  }

  /** By the first key that opens it. What one key refuses another may open. */
  async #open({ mechanism, body }: Form, context: Buffer, signal: AbortSignal): Promise<Buffer> {
    let refusal: KmipFault | undefined
    for (const key of this.#keys) {
      if (key.mechanism !== mechanism) continue
      try {
        return await key.open(body, context, signal)
      } catch (error) {
        if (!(error instanceof KmipFault)) throw error
        if (error.is('broken')) continue
        if (!(kmipFailure(this.alias, error) instanceof Denied)) throw error
        refusal ??= error
      }
    }
    if (refusal !== undefined) throw refusal
    // Either the bytes are wrong or the server is: it is asked for something that it must be able to do.
    await this.#prove(signal)
    throw new KmipFault({ reason: 'broken' })
  }

  /** Seals something that is no secret. */
  async #prove(signal: AbortSignal): Promise<void> {
    await this.#active.seal(Buffer.alloc(KEY_BYTES), Buffer.alloc(1), signal)
  }

  async #call<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Unavailable(`key manager ${this.alias} is closed`)
    try {
      return await work(AbortSignal.timeout(this.#timeout))
    } catch (error) {
      throw error instanceof KmipFault ? kmipFailure(this.alias, error) : error
    }
  }
}

/** Files that are gone, or being replaced, are so for a while. */
async function readTls(tls: KmipParts['tls']): Promise<KmipTls> {
  try {
    return await tls()
  } catch {
    throw new KmipFault({ reason: 'lost', detail: 'the certificates cannot be read' })
  }
}
