/** A stand-in for a KMIP server with three keys, and key managers of it. */
import { randomBytes } from 'node:crypto'
import { KmipKeyManager, type KmipParts, type MasterKeyChoice } from '../../src/keys/kmip.ts'
import type { MechanismName } from '../../src/keys/kmip/forms.ts'
import { type SecretBytes, takeSecret } from '../../src/secret-bytes.ts'
import { KmipServer } from './kmip-server.ts'
import { pem } from './pem.ts'

type Keys = KmipParts['keys']

export interface KmipOptions extends Partial<Omit<KmipParts, 'place' | 'wrapping'>> {
  readonly serverName?: string
  readonly port?: number
  readonly wrappingKey?: SecretBytes
}

/** The client certificate that the server knows, and whom it is to trust. */
export const tlsFiles = () => ({ ca: pem('cert'), cert: pem('other-cert'), key: pem('other-key') })

export class KmipWorld {
  readonly server = new KmipServer()
  /** Ids by names. */
  readonly ids = { main: '', other: '', wrapping: '' }
  readonly #managers: KmipKeyManager[] = []

  async start(): Promise<void> {
    await this.server.start()
  }

  /** New keys, and a server that does as it should. */
  renew(): void {
    this.server.reset()
    this.server.keys.clear()
    for (const name of ['main', 'other', 'wrapping'] as const) this.ids[name] = this.server.createKey(name)
  }

  open({ wrappingKey, port = this.server.port, serverName, ...parts }: KmipOptions = {}): KmipKeyManager {
    const manager = new KmipKeyManager({
      alias: 'main',
      place: { host: '127.0.0.1', port, serverName },
      tls: async () => tlsFiles(),
      wrapping: { name: 'wrapping', key: wrappingKey ?? takeSecret(this.valueOf('wrapping')) },
      keys: by('encrypt', 'main'),
      connections: 2,
      timeout: 2_000,
      random: randomBytes,
      ...parts,
    })
    this.#managers.push(manager)
    return manager
  }

  /** A copy: a manager that is closed ends its own. */
  valueOf(name: keyof KmipWorld['ids']): Buffer {
    return Buffer.from(this.server.keys.get(this.ids[name])?.value ?? '')
  }

  async closeManagers(): Promise<void> {
    for (const manager of this.#managers.splice(0)) await manager.close()
  }
}

/** Keys by their names; the first one wraps. */
export function by(mechanism: MechanismName, first: string, ...rest: readonly string[]): Keys {
  const choice = (name: string): MasterKeyChoice => ({ name, mechanism })
  return [choice(first), ...rest.map(choice)]
}
