/** Settings of a KMIP server become a key manager: files are named and read here. */
import { readFile } from 'node:fs/promises'
import type { ManagerSettings } from '../config/settings.ts'
import type { RandomSource } from '../format/derive.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { KmipKeyManager } from '../keys/kmip.ts'
import { takeSecret } from '../secret-bytes.ts'
import { readText } from './read-text.ts'

type KmipSettings = ManagerSettings<'kmip'>

/** Asks nothing yet. Throws `Invalid` for certificates that cannot be read. */
export function openKmip(alias: string, settings: KmipSettings, random: RandomSource): KeyManager {
  const { address, serverName, caFile, certFile, keyFile, username, password, key, formerKeys, wrappingKey } = settings
  for (const [name, path] of Object.entries({ caFile, certFile, keyFile })) {
    if (path !== undefined) readText(path, `keys.managers.${alias}.${name}`)
  }
  return new KmipKeyManager({
    alias,
    place: { ...address, serverName },
    tls: async () => {
      const [cert, ownKey, ca] = await Promise.all([
        readFile(certFile, 'utf8'),
        readFile(keyFile, 'utf8'),
        caFile === undefined ? undefined : readFile(caFile, 'utf8'),
      ])
      return { cert, key: ownKey, ...(ca === undefined ? {} : { ca }) }
    },
    credential: username === undefined ? undefined : { username, password: password ?? '' },
    wrapping: wrappingKey && { ...wrappingKey, key: takeSecret(Buffer.from(wrappingKey.key, 'hex')) },
    keys: [key, ...formerKeys],
    connections: settings.connections,
    timeout: settings.timeout,
    random,
  })
}
