import { readFileSync } from 'node:fs'
import { Invalid } from '../errors.ts'

/** A file that the settings name. Throws `Invalid` with its path; `what` is the setting. */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Invalid(`${what} cannot be read: ${path}`, { cause })
  }
}
