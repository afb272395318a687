/** Secrets that rest in files: `xFile` becomes `x`. */
import { ANY_NAME, ANY_PLACE, FIELDS } from './fields.ts'
import type { Problem } from './problems.ts'
import { isTree, type Tree, valueAt } from './tree.ts'

/** Reads a text file; throws as `readFileSync` does. */
export type ReadFile = (path: string) => string

/**
 * Replaces every `xFile` of a secret `x` in `tree` by the content of the file, less one line end at its end. Both given, or
 * a file that cannot be read, is a problem. Some secrets have a setting `xFile` of their own, which stays.
 */
export function resolveSecrets(tree: Tree, readFile: ReadFile): Problem[] {
  return FIELDS.filter((field) => field.fromFile).flatMap((field) => {
    const name = field.path.at(-1) ?? ''
    return [...holdersOf(tree, field.path.slice(0, -1), [])].flatMap(({ holder, path }) =>
      resolve(holder, name, path, readFile),
    )
  })
}

function resolve(holder: Tree, name: string, path: readonly PropertyKey[], readFile: ReadFile): Problem[] {
  const fileName = `${name}File`
  const file = holder[fileName]
  if (file === undefined) return []
  delete holder[fileName]
  const problem = (hint: string, value?: unknown): Problem[] => {
    // The schema would only add that the secret is missing.
    holder[name] ??= UNREADABLE
    return [{ path: [...path, fileName], hint, value }]
  }
  if (holder[name] !== undefined) return problem(`${name} is given too; keep one of the two`)
  if (typeof file !== 'string' || file === '') return problem('write the path of a file')
  try {
    holder[name] = readFile(file).replace(/\r?\n$/, '')
    return []
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read'
    return problem(code === 'ENOENT' ? 'there is no such file' : code, file)
  }
}

/** Stands for a secret whose file is a problem already; never leaves the loader, because a problem refuses the settings. */
const UNREADABLE = 'unreadable secret'

/** Every map of the tree at a path with `[]` and `<alias>` steps. */
function* holdersOf(
  at: unknown,
  steps: readonly string[],
  path: readonly PropertyKey[],
): Generator<{ holder: Tree; path: readonly PropertyKey[] }> {
  const [step, ...rest] = steps
  if (step === ANY_PLACE) {
    if (Array.isArray(at)) for (const [index, inner] of at.entries()) yield* holdersOf(inner, rest, [...path, index])
  } else if (!isTree(at)) {
    return
  } else if (step === undefined) {
    yield { holder: at, path }
  } else if (step === ANY_NAME) {
    for (const [name, inner] of Object.entries(at)) yield* holdersOf(inner, rest, [...path, name])
  } else {
    yield* holdersOf(valueAt(at, [step]), rest, [...path, step])
  }
}
