/** Settings from `SEALGATE_*` variables, laid over those of the file. */
import { FIELDS, type Field } from './fields.ts'
import { type Origin, type Problem, unknownName } from './problems.ts'
import { isTree, type Tree } from './tree.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'SEALGATE_'
const BY_NAME: ReadonlyMap<string, Field> = new Map(
  FIELDS.flatMap((field) => (field.envName === undefined ? [] : [[field.envName, field] as const])),
)

/** Writes the variables into `tree`, whose values they replace. An empty variable counts as not set, as container tools write "unset". */
export function applyEnvironment(tree: Tree, env: Environment): { problems: Problem[]; origins: Origin[] } {
  const problems: Problem[] = []
  const origins: Origin[] = []
  for (const [envName, text] of Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!envName.startsWith(PREFIX) || text === undefined || text === '') continue
    const field = BY_NAME.get(envName)
    if (field === undefined) {
      if (!isServiceLink(envName, env))
        problems.push({ path: [envName], hint: unknownName(envName, [...BY_NAME.keys()]) })
      continue
    }
    const value = valueOf(field, text)
    if (value === undefined)
      problems.push({ path: [envName], hint: `is not valid JSON; write ${field.path.join('.')} as JSON here` })
    else {
      origins.push({ path: field.path, name: envName })
      write(tree, field.path, value)
    }
  }
  return { problems, origins }
}

const BOOLEANS = new Map([
  ['true', true],
  ['false', false],
])

function valueOf(field: Field, text: string): unknown {
  if (field.kind === 'number' || field.kind === 'text or number') return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (field.kind === 'boolean') return BOOLEANS.get(text) ?? text
  if (field.kind === 'text' || (field.kind === 'text or list' && !text.startsWith('['))) return text
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message would quote the text, and credentials come this way.
    return undefined
  }
}

/** A place that the file has filled with something else than a map stays as it is, for the schema to refuse. */
function write(tree: Tree, path: readonly string[], value: unknown): void {
  let at = tree
  for (const step of path.slice(0, -1)) {
    const inner = (at[step] ??= {})
    if (!isTree(inner)) return
    at = inner
  }
  at[path.at(-1) ?? ''] = value
}

/**
 * Kubernetes puts `SEALGATE_SERVICE_HOST`, `SEALGATE_PORT=tcp://…` and the like into every container beside a Service called
 * `sealgate`. They are nobody's mistake. The proof is the `…_SERVICE_HOST` of the same Service.
 */
function isServiceLink(name: string, env: Environment): boolean {
  const service =
    /^(.+?)_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)$/.exec(name)?.[1]
  return service !== undefined && env[`${service}_SERVICE_HOST`] !== undefined
}
