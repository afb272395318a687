/** A key object of the server: where it is and what it may do. */
import { KEY_BYTES } from '../../format/derive.ts'
import type { Attributes, KmipClient } from './client.ts'
import { KmipFault } from './fault.ts'
import { AES, REASON, STATE, SYMMETRIC_KEY, stateName } from './protocol.ts'

/** One of the two is given. */
export interface KeyChoice {
  /** Unique identifier. */
  readonly id?: string | undefined
  readonly name?: string | undefined
}

const MISSING = [REASON.ItemNotFound, REASON.ObjectNotFound, REASON.ObjectDestroyed]
/** Servers say these of keys in the wrong state too. */
const UNCLEAR = [REASON.PermissionDenied, REASON.IllegalOperation, REASON.WrongKeyLifecycleState, ...MISSING]

export class KeyObject {
  /** The setting that names it, for messages. */
  readonly setting: string
  readonly #choice: KeyChoice
  readonly #client: KmipClient
  #id: string | undefined

  constructor(setting: string, choice: KeyChoice, client: KmipClient) {
    this.setting = setting
    this.#choice = choice
    this.#client = client
    this.#id = choice.id
  }

  /** Looks for its name again: names move from key to key. */
  forget(): void {
    this.#id = this.#choice.id
  }

  /** Does something with the key. Faults tell which key it was, and its state where that is why. */
  async use<T>(work: (id: string) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await work(await this.#locate(signal))
    } catch (error) {
      if (!(error instanceof KmipFault)) throw error
      if (error.returned(...MISSING)) this.forget()
      throw (await this.#explain(error, signal)).about(this.setting)
    }
  }

  /** Its attributes, as long as it is a key of the right kind in one of these states. */
  async inspect(states: readonly (keyof typeof STATE)[], signal: AbortSignal): Promise<Attributes> {
    const found = await this.use((id) => this.#client.attributes(id, signal), signal)
    const { objectType, algorithm, length, state = 0 } = found
    const key = this.setting
    if (objectType !== SYMMETRIC_KEY || algorithm !== AES || length !== KEY_BYTES * 8) {
      throw new KmipFault({ reason: 'kind', key })
    }
    if (states.some((name) => STATE[name] === state)) return found
    throw new KmipFault({ reason: 'state', detail: stateName(state), key })
  }

  async #locate(signal: AbortSignal): Promise<string> {
    if (this.#id !== undefined) return this.#id
    const [id, second] = await this.#client.locate(this.#choice.name ?? '', signal)
    if (id === undefined) throw new KmipFault({ reason: 'no key' })
    if (second !== undefined) throw new KmipFault({ reason: 'two keys' })
    this.#id = id
    return id
  }

  async #explain(fault: KmipFault, signal: AbortSignal): Promise<KmipFault> {
    if (this.#id === undefined || !fault.returned(...UNCLEAR)) return fault
    try {
      const { state = STATE.Active } = await this.#client.attributes(this.#id, signal)
      return state === STATE.Active ? fault : new KmipFault({ reason: 'state', detail: stateName(state) })
    } catch {
      return fault
    }
  }
}
