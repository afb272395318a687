/** Packages that are installed only by those who want them. */
import { Invalid } from '../errors.ts'

/** What `load` loads. Throws `Invalid` with who needs it, and the command that helps, if one of `packages` (with their versions) is not there. */
export async function loadOptional<T>(who: string, packages: readonly string[], load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new Invalid(
      `${who} needs packages that are not installed; beside Sealgate run \`npm install ${packages.join(' ')}\``,
    )
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND')

export const managerOf = (alias: string, type: string): string =>
  `keys.managers.${alias}: a key manager of type ${type}`
