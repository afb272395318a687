/** Clients of Azure's SDK, replaced together once the vault does not take their token any more: the SDK would show it until its time is over. */
import type { KeyVaultKey } from '@azure/keyvault-keys'
import { isTokenRefused } from '../keys/azure-key-vault/errors.ts'
import type { AzureCalls, AzureCryptography } from '../keys/azure-key-vault/key-versions.ts'

/** Clients that share a login. */
export interface AzureClients {
  readonly keys: AzureCalls['keys']
  readonly cryptography: (key: KeyVaultKey) => AzureCryptography
}

interface Session extends AzureClients {
  readonly known: Map<KeyVaultKey, AzureCryptography>
  /** Whether the vault has taken its token. */
  proven: boolean
}

export class AzureSessions implements AzureCalls {
  readonly #login: () => AzureClients
  #current: Session | undefined

  constructor(login: () => AzureClients) {
    this.#login = login
  }

  readonly keys: AzureCalls['keys'] = {
    getKey: (name, options) => this.#ask(({ keys }) => keys.getKey(name, options)),
  }

  readonly cryptography = (key: KeyVaultKey): AzureCryptography => ({
    wrapKey: (...given) => this.#ask((session) => clientOf(session, key).wrapKey(...given)),
    unwrapKey: (...given) => this.#ask((session) => clientOf(session, key).unwrapKey(...given)),
    sign: (...given) => this.#ask((session) => clientOf(session, key).sign(...given)),
    encrypt: (...given) => this.#ask((session) => clientOf(session, key).encrypt(...given)),
    decrypt: (...given) => this.#ask((session) => clientOf(session, key).decrypt(...given)),
  })

  async #ask<T>(call: (session: Session) => Promise<T>): Promise<T> {
    const session = this.#session()
    try {
      return await this.#proven(session, call)
    } catch (error) {
      // A token that never was taken will not be, and each login costs Azure one more.
      if (!isTokenRefused(error) || !session.proven) throw error
      if (this.#current === session) this.#current = undefined
      return this.#proven(this.#session(), call)
    }
  }

  async #proven<T>(session: Session, call: (session: Session) => Promise<T>): Promise<T> {
    const answer = await call(session)
    session.proven = true
    return answer
  }

  #session(): Session {
    this.#current ??= { ...this.#login(), known: new Map(), proven: false }
    return this.#current
  }
}

function clientOf({ known, cryptography }: Session, key: KeyVaultKey): AzureCryptography {
  const client = known.get(key) ?? cryptography(key)
  known.set(key, client)
  return client
}
