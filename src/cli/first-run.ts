/** What the first start makes: a master key and a credential. Only while there is no store yet: a store without its key never gets a second one. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { formatCredentialsFile, generateCredential } from '../access/credentials.ts'
import { StoreError } from '../backends/object-store.ts'
import { clock, random } from '../compose.ts'
import { requireFips } from '../compose/fips.ts'
import { CREDENTIALS_FILE } from '../compose/live.ts'
import { type LocalSettings, withPassphrase } from '../compose/master-keys.ts'
import { openS3Store } from '../compose/s3-store.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid, Unavailable } from '../errors.ts'
import { createMasterKeysFile } from '../keys/master-keys.ts'
import { writeSecretFile } from '../keys/secret-file.ts'

/** The secrets that settings expect as files of our own making. */
interface OwnFiles {
  readonly masterKeys: { readonly path: string; readonly alias: string; readonly manager: LocalSettings }[]
  readonly credentials: string | undefined
}

/**
 * Makes the files that are missing. Throws `Invalid` where the FIPS profile cannot be had, if the store has data and a key file is missing, `Unavailable` or
 * `Denied` if a remote state store does not say whether it has. Returns the paths made.
 */
export async function prepareData(settings: Settings): Promise<readonly string[]> {
  requireFips(settings)
  const own = ownFiles(settings)
  const made: string[] = []
  for (const { path, alias, manager } of own.masterKeys) {
    if (existsSync(path)) continue
    await refuseOverStore(settings, path, 'Restore it from your backup; a new key could not open what is stored.')
    makeFolder(dirname(path))
    await withPassphrase(alias, manager, (passphrase) =>
      createMasterKeysFile(path, { random, now: clock(), ...(passphrase === undefined ? {} : { passphrase }) }),
    )
    made.push(path)
  }
  if (own.credentials !== undefined && !existsSync(own.credentials)) {
    if (made.length === 0) {
      await refuseOverStore(settings, own.credentials, 'Restore it, or write `credentials` into the settings.')
    }
    makeFolder(settings.data)
    await writeSecretFile(own.credentials, formatCredentialsFile(generateCredential(random)))
    made.push(own.credentials)
  }
  return made
}

function ownFiles(settings: Settings): OwnFiles {
  const masterKeys = Object.entries(settings.keys.managers).flatMap(([alias, manager]) =>
    manager.type === 'local' && manager.file !== undefined ? [{ path: manager.file, alias, manager }] : [],
  )
  return {
    masterKeys,
    credentials: settings.credentials === undefined ? join(settings.data, CREDENTIALS_FILE) : undefined,
  }
}

async function refuseOverStore(settings: Settings, missing: string, remedy: string): Promise<void> {
  const full = fullFolder(settings) ?? (await usedBucket(settings))
  if (full === undefined) return
  throw new Invalid(`${missing} is missing, but ${full} already holds a store. ${remedy}`)
}

function fullFolder({ backend, state }: Settings): string | undefined {
  const folders = [backend, state].flatMap((one) => (one.type === 'local' ? [one.path] : []))
  return folders.find((folder) => existsSync(folder) && readdirSync(folder).length > 0)
}

/** What replicas share tells the first of them from the others: nothing is sealed before its key is in the keyring. */
async function usedBucket({ data, credentials, state }: Settings): Promise<string | undefined> {
  if (state.type !== 's3') return undefined
  const ownCredentials = credentials === undefined ? join(data, CREDENTIALS_FILE) : undefined
  const objects = openS3Store(state, { role: 'state', ownCredentials, clock, random })
  try {
    // Not by HEAD: whatever stands before the store may answer 404, and only a document says of what.
    const page = await objects.list(state.bucket, { prefix: `${state.prefix}keyring/`, limit: 1 })
    return page.objects.length > 0 ? `the bucket ${state.bucket} at ${state.endpoint}` : undefined
  } catch (error) {
    if (error instanceof StoreError && error.refusal === 'no-such-bucket') return undefined
    throw error
  } finally {
    await objects.close()
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new Unavailable(`the folder ${path} cannot be made`, { cause: error })
  }
}
