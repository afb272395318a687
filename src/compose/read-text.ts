import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Denied, Invalid } from '../errors.ts'

/** A file that the settings name. Throws `Invalid` with its path; `what` is the setting. */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Invalid(`${what} cannot be read: ${path}`, { cause })
  }
}

/** As `readText`, of a file that is replaced while we run. Throws `Denied`. */
export async function readAnew(path: string, what: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => {
    throw new Denied(`${what} cannot be read`)
  })
}
