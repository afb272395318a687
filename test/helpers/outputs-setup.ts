/** Around a whole run: a folder for its outputs, and at the end the search for secrets in them, which fails the run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FOLDER, leaksIn } from './outputs.ts'

export function setup(): void {
  process.env[FOLDER] = mkdtempSync(join(tmpdir(), 'sealgate-outputs-'))
}

export function teardown(): void {
  const folder = process.env[FOLDER]
  if (folder === undefined) return
  try {
    const leaks = leaksIn(folder)
    if (leaks.length === 0) return
    process.exitCode = 1
    throw new Error(`the tests put out secrets:\n${leaks.join('\n')}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
