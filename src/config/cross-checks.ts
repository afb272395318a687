/** Rules between settings, which the schema of one field cannot know. */
import { normalize } from 'node:path'
import { adminTokens } from './admin-settings.ts'
import { isLoopback } from './loopback.ts'
import type { Problem } from './problems.ts'
import type { ParsedSettings, Settings } from './settings.ts'

/** On what the schema has accepted, before defaults are filled in. */
export function checkParsed(settings: ParsedSettings): Problem[] {
  return [
    ...checkStores(settings),
    ...checkManagers(settings),
    ...checkCredentials(settings),
    ...checkBuckets(settings),
    ...checkListeners(settings),
    ...checkFips(settings),
    ...checkAdmin(settings),
    ...checkTracing(settings),
    ...checkLogs(settings),
  ]
}

/** On complete settings. */
export function checkComplete(settings: Settings): Problem[] {
  return [...checkSharedFolder(settings), ...checkReplicas(settings)]
}

function checkReplicas({ replicas, backend, state }: Settings): Problem[] {
  if (replicas === 1) return []
  return Object.entries({ backend, state }).flatMap(([name, { type }]) =>
    type === 's3'
      ? []
      : {
          path: [name, 'type'],
          value: type,
          hint: `is for one gateway alone, and \`replicas\` is ${replicas}: set ${name}.type to s3`,
        },
  )
}

function checkSharedFolder({ backend, state }: Settings): Problem[] {
  if (backend.type !== 'local' || state.type !== 'local' || normalize(backend.path) !== normalize(state.path)) return []
  return [
    {
      path: ['state', 'path'],
      value: state.path,
      hint: 'is the folder of the backend too; clients would see the state',
    },
  ]
}

function checkStores({ backend, state, server }: ParsedSettings): Problem[] {
  const problems: Problem[] = []
  for (const [name, store] of Object.entries({ backend, state })) {
    if (store.type !== 'local' && store.type !== undefined && store.path !== undefined) {
      const hint = store.type === 'memory' ? 'a memory store has no folder' : 'only a local store has a folder'
      problems.push({ path: [name, 'path'], value: store.path, hint })
    }
    problems.push(
      ...checkS3(name, store, store.type ?? (name === 'state' && backend.type === 'memory' ? 'memory' : 'local')),
    )
    if (store.type === 'memory' && server.workers !== 1) {
      problems.push({ path: [name, 'type'], value: 'memory', hint: 'memory is not shared: set server.workers to 1' })
    }
  }
  return problems
}

type StoreGroup = ParsedSettings['backend'] | ParsedSettings['state']

function checkS3(name: string, store: StoreGroup, type: string): Problem[] {
  const { endpoint, profile, accessKeyId, secretAccessKey, tls } = store
  if (type !== 's3') {
    const given = Object.entries({ endpoint, profile, accessKeyId, secretAccessKey })
    return given
      .filter(([, value]) => value !== undefined)
      .map(([field]) => ({ path: [name, field], hint: `is for a store of type s3, and this one is ${type}` }))
  }
  const { certFile, keyFile } = tls
  const problems = [...checkAwsCredentials([name], store), ...checkPair([name, 'tls'], { certFile, keyFile })]
  if (endpoint === undefined && profile !== undefined && profile !== 'aws') {
    problems.push({ path: [name, 'endpoint'], hint: `a store with the profile ${profile} needs its address` })
  }
  return problems
}

function checkAwsCredentials(
  path: readonly string[],
  { accessKeyId, secretAccessKey, sessionToken }: Pick<StoreGroup, 'accessKeyId' | 'secretAccessKey' | 'sessionToken'>,
): Problem[] {
  const problems = checkPair(path, { accessKeyId, secretAccessKey })
  if (sessionToken !== undefined && accessKeyId === undefined) {
    problems.push({ path: [...path, 'sessionToken'], hint: 'belongs to an accessKeyId' })
  }
  return problems
}

/** Two settings of which neither means anything without the other. */
function checkPair(path: readonly string[], pair: Readonly<Record<string, unknown>>, hint?: string): Problem[] {
  const names = Object.keys(pair)
  const [first = ''] = names
  const given = Object.values(pair).filter((value) => value !== undefined)
  return given.length === 1 ? [{ path: [...path, first], hint: hint ?? `${names.join(' and ')} go together` }] : []
}

function checkManagers({ keys, backend, buckets }: ParsedSettings): Problem[] {
  const problems = [
    ...checkAlias(keys, ['keys', 'active'], keys.active),
    ...checkFailover(keys),
    ...checkRetired(keys, buckets),
  ]
  for (const [alias, manager] of Object.entries(keys.managers)) {
    const path = ['keys', 'managers', alias]
    if (manager.type === 'local') problems.push(...checkLocal(path, manager))
    if (manager.type === 'aws-kms') problems.push(...checkAwsCredentials(path, manager))
    if (manager.type === 'vault-transit') problems.push(...checkVault(path, manager))
    if (manager.type === 'kmip') problems.push(...checkKmip(path, manager))
    if (manager.type === 'azure-key-vault') problems.push(...checkAzure(path, manager))
    if (manager.type === 'gcp-kms') problems.push(...checkInTheClear(path, 'endpoint', manager.endpoint))
    if (manager.type === 'memory' && backend.type !== 'memory') {
      const hint = 'every object would be lost with the process: use type local, or a memory backend'
      problems.push({ path: [...path, 'type'], value: 'memory', hint })
    }
  }
  return problems
}

type Manager<Type extends string> = Extract<ParsedSettings['keys']['managers'][string], { readonly type: Type }>

function checkLocal(path: readonly string[], manager: Manager<'local'>): Problem[] {
  const problems: Problem[] = []
  if (manager.file !== undefined && (manager.keys ?? manager.keysFile) !== undefined) {
    const hint = 'keys or keysFile is given too; keep one of them'
    problems.push({ path: [...path, 'file'], value: manager.file, hint })
  }
  for (const name of ['keys', 'passphrase'] as const) {
    if (manager[name] === undefined || manager[`${name}File`] === undefined) continue
    problems.push({ path: [...path, `${name}File`], hint: `${name} is given too; keep one of the two` })
  }
  return problems
}

function checkAlias({ managers }: ParsedSettings['keys'], path: Problem['path'], alias: string): Problem[] {
  if (Object.hasOwn(managers, alias)) return []
  const aliases = Object.keys(managers).join(', ')
  return [{ path, value: alias, hint: `no key manager has this alias; there is: ${aliases}` }]
}

function checkFailover(keys: ParsedSettings['keys']): Problem[] {
  return keys.failover.flatMap((alias, at) => {
    const path = ['keys', 'failover', at]
    if (alias === keys.active)
      return [{ path, value: alias, hint: 'is the active key manager, for which it would stand in' }]
    if (keys.failover.indexOf(alias) < at) return [{ path, value: alias, hint: 'stands in the list twice' }]
    return checkAlias(keys, path, alias)
  })
}

function checkRetired(keys: ParsedSettings['keys'], buckets: ParsedSettings['buckets']): Problem[] {
  const sealing = [keys.active, ...keys.failover, ...buckets.map((bucket) => bucket.keys)]
  return keys.retired.flatMap((alias, at) => {
    const path = ['keys', 'retired', at]
    if (sealing.includes(alias))
      return [{ path, value: alias, hint: 'is to seal new objects elsewhere in the settings' }]
    return checkAlias(keys, path, alias)
  })
}

function checkKmip(path: readonly string[], manager: Manager<'kmip'>): Problem[] {
  const { username, password, key, formerKeys, wrappingKey } = manager
  const hint = 'username and password (or passwordFile) go together'
  const problems = checkPair(path, { username, password }, hint)
  if (wrappingKey === undefined && [key, ...formerKeys].some(({ mechanism }) => mechanism === 'get')) {
    problems.push({ path: [...path, 'wrappingKey'], hint: 'the mechanism get needs it' })
  }
  return problems
}

function checkVault(
  path: readonly string[],
  { address, login, certFile, keyFile }: Manager<'vault-transit'>,
): Problem[] {
  const problems = login.method === 'aws' ? checkAwsCredentials([...path, 'login'], login) : []
  problems.push(...checkPair(path, { certFile, keyFile }))
  if (login.method === 'cert' && certFile === undefined) {
    problems.push({ path: [...path, 'login', 'method'], hint: 'cert needs certFile and keyFile' })
  }
  return [...problems, ...checkInTheClear(path, 'address', address)]
}

function checkInTheClear(path: readonly string[], name: string, address: string | undefined): Problem[] {
  if (address?.startsWith('http:') !== true || isLoopback(address.replace('http://', ''))) return []
  const hint = 'keys and tokens would go over the network in the clear: write https://'
  return [{ path: [...path, name], value: address, hint }]
}

function checkAzure(path: readonly string[], { vaultUrl, authorityHost }: Manager<'azure-key-vault'>): Problem[] {
  return Object.entries({ vaultUrl, authorityHost }).flatMap(([name, value]) =>
    value?.startsWith('http:') === true
      ? { path: [...path, name], value, hint: 'the SDK sends no token over http: write https://' }
      : [],
  )
}

function checkCredentials({ credentials = [] }: ParsedSettings): Problem[] {
  return credentials.flatMap(({ accessKey }, at) => {
    const first = credentials.findIndex((other) => other.accessKey === accessKey)
    if (first === at) return []
    return [
      { path: ['credentials', at, 'accessKey'], value: accessKey, hint: `credentials[${first}] has this access key` },
    ]
  })
}

function checkBuckets({ buckets, keys }: ParsedSettings): Problem[] {
  return buckets.flatMap(({ match, namespace, keys: alias }, at) => {
    const problems = alias === undefined ? [] : checkAlias(keys, ['buckets', at, 'keys'], alias)
    if (namespace === undefined || !match.includes('*')) return problems
    const hint =
      'buckets that share a namespace can stand in for each other: name one bucket without *, or leave namespace out'
    return [...problems, { path: ['buckets', at, 'namespace'], value: namespace, hint }]
  })
}

/** What the FIPS provider does not have. */
function checkFips({ fips, backend, keys }: ParsedSettings): Problem[] {
  if (!fips) return []
  const problems = Object.entries(keys.managers).flatMap(([alias, manager]) => {
    const name = 'passphraseFile' in manager ? 'passphraseFile' : 'passphrase'
    if (manager.type !== 'local' || (manager.passphrase ?? manager.passphraseFile) === undefined) return []
    return [
      {
        path: ['keys', 'managers', alias, name],
        hint: 'fips is true, and scrypt is not approved: keep the keys in `file`',
      },
    ]
  })
  if (backend.type === 's3') return problems
  const hint = 'fips is true, and this backend answers with MD5s: set backend.type to s3'
  return [...problems, { path: ['backend', 'type'], value: backend.type, hint }]
}

function checkListeners({ server, admin }: ParsedSettings): Problem[] {
  if (admin.listen === false || admin.listen.port === 0) return []
  if (admin.listen.port !== server.listen.port || admin.listen.host !== server.listen.host) return []
  return [{ path: ['admin', 'listen'], hint: 'is the address of the S3 listener; take another port, or off' }]
}

function checkTracing({ telemetry: { tracing } }: ParsedSettings): Problem[] {
  const path = ['telemetry', 'tracing']
  const { endpoint, objectNames, hashKey, headers } = tracing
  const problems = headers.length === 0 ? [] : checkInTheClear(path, 'endpoint', endpoint)
  if (objectNames !== 'hash' || hashKey !== undefined) return problems
  const hint = 'hash needs hashKey or hashKeyFile: anybody could guess names from hashes without a key'
  return [...problems, { path: [...path, 'objectNames'], value: objectNames, hint }]
}

function checkLogs({ audit, log }: ParsedSettings): Problem[] {
  const problems: Problem[] = []
  if (audit.folder === undefined && (audit.sinks.length > 0 || audit.policy === 'block')) {
    problems.push({
      path: ['audit', 'folder'],
      hint: 'the audit log needs a folder: its files are the buffer of sinks',
    })
  }
  if (log.access === false && log.accessFile !== undefined) {
    problems.push({
      path: ['log', 'access'],
      hint: 'is off, and log.accessFile is given: write json, clf, combined or s3',
    })
  }
  return [...problems, ...audit.sinks.flatMap((sink, at) => checkSink(['audit', 'sinks', at], sink))]
}

function checkSink(path: Problem['path'], sink: ParsedSettings['audit']['sinks'][number]): Problem[] {
  if (sink.type === 'stdout' || sink.type === 'syslog') return []
  const { username, password, token, url } = sink
  const ways = [username, token, 'apiKey' in sink ? sink.apiKey : undefined].filter((way) => way !== undefined)
  const problems: Problem[] = []
  if (ways.length > 1) problems.push({ path, hint: 'gives several ways to log in; keep one of them' })
  if ((username === undefined) !== (password === undefined)) {
    problems.push({ path: [...path, 'username'], hint: 'username and password (or passwordFile) go together' })
  }
  return ways.length === 0 ? problems : [...problems, ...checkInTheClear(path.map(String), 'url', url)]
}

function checkAdmin({ admin }: ParsedSettings): Problem[] {
  const tokens = adminTokens(admin)
  const problems: Problem[] = []
  for (const field of ['name', 'token'] as const) {
    if (new Set(tokens.map((one) => one[field])).size === tokens.length) continue
    const hint = `two tokens have the same ${field} (admin.token has the name admin): the audit could not tell who it was`
    problems.push({ path: ['admin', 'tokens'], hint })
  }
  if (tokens.length === 0 || admin.tls !== undefined || admin.listen === false) return problems
  const { host } = admin.listen
  if (isLoopback(host.includes(':') ? `[${host}]` : host)) return problems
  const hint = 'tokens of the admin API would go over the network in the clear: set admin.tls, or listen on 127.0.0.1'
  return [...problems, { path: ['admin', 'listen'], value: host, hint }]
}
