/** Settings from one YAML file and the environment: everything that is wrong with them is said at once. */
import { join } from 'node:path'
import { addBucketFiles, type ListFolder } from './bucket-files.ts'
import { checkComplete, checkParsed } from './cross-checks.ts'
import { applyEnvironment, type Environment } from './environment.ts'
import { type Problem, problemsOf, refusal } from './problems.ts'
import { type ReadFile, resolveSecrets } from './secrets.ts'
import { type ParsedSettings, type Settings, settingsSchema } from './settings.ts'
import { storeOf } from './store-settings.ts'
import { isTree, type Tree } from './tree.ts'
import { readYaml } from './yaml.ts'

/** Read if no file is named and it is there. */
export const DEFAULT_FILE = 'sealgate.yaml'

export interface SettingsSources {
  /** A file that must exist. Without it `sealgate.yaml` is read if there is one. */
  readonly configPath?: string
  readonly env: Environment
  readonly readFile: ReadFile
  /** Needed for `bucketsFolder`. */
  readonly listFolder?: ListFolder
  /** What `workers: auto` means. Default 1. */
  readonly cores?: number
}

/** Complete, deeply frozen settings. Throws `Invalid` with a line for every problem: path, value, hint. */
export function loadSettings({
  configPath,
  env,
  readFile,
  listFolder = noFolders,
  cores = 1,
}: SettingsSources): Settings {
  const { tree, problems: fileProblems } = readTree(configPath, readFile)
  const fromEnvironment = applyEnvironment(tree, env)
  const fromFolder = addBucketFiles(tree, { readFile, listFolder })
  const origins = [...fromFolder.origins, ...fromEnvironment.origins]
  const early = [
    ...fileProblems,
    ...fromEnvironment.problems,
    ...fromFolder.problems,
    ...resolveSecrets(tree, readFile),
  ]
  const parsed = settingsSchema.safeParse(tree)
  if (!parsed.success)
    throw refusal([...early, ...parsed.error.issues.flatMap((issue) => problemsOf(issue, tree))], origins)
  const settings = complete(parsed.data, cores)
  const problems = [...early, ...checkParsed(parsed.data), ...checkComplete(settings)]
  if (problems.length > 0) throw refusal(problems, origins)
  return freeze(settings)
}

function noFolders(): never {
  throw new Error('this process has no folders')
}

function readTree(configPath: string | undefined, readFile: ReadFile): { tree: Tree; problems: readonly Problem[] } {
  const path = configPath ?? DEFAULT_FILE
  let absent = false
  const { value, problems } = readYaml(path, () => {
    try {
      return readFile(path)
    } catch (error) {
      absent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      throw error
    }
  })
  if (absent && configPath === undefined) return { tree: {}, problems: [] }
  if (problems.length > 0) return { tree: {}, problems }
  const tree = value ?? {}
  if (isTree(tree)) return { tree, problems: [] }
  return { tree: {}, problems: [{ path: [path], hint: 'the file must hold a map of settings' }] }
}

/** Fills in the defaults that depend on other settings. */
function complete(parsed: ParsedSettings, cores: number): Settings {
  const { data, server, backend, state, keys } = parsed
  const managers = Object.entries(keys.managers).map(([alias, manager]) => {
    if (manager.type !== 'local') return [alias, manager] as const
    const { keys, keysFile, file } = manager
    if ([keys, keysFile, file].some((given) => given !== undefined)) return [alias, manager] as const
    return [alias, { ...manager, file: join(data, 'master-keys.json') }] as const
  })
  return {
    ...parsed,
    server: { ...server, workers: server.workers === 'auto' ? cores : server.workers },
    backend: storeOf(backend.type, backend, join(data, 'objects')),
    state: {
      ...storeOf(state.type ?? (backend.type === 'memory' ? 'memory' : 'local'), state, join(data, 'state')),
      bucket: state.bucket,
      prefix: state.prefix,
    },
    keys: { ...keys, managers: Object.fromEntries(managers) },
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}
