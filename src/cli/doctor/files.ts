/** The files that everything hangs on: there, and readable by their owner alone. */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CREDENTIALS_FILE } from '../../compose/live.ts'
import type { Settings } from '../../config/settings.ts'
import type { Finding } from './finding.ts'

const OWNER_ONLY = 0o077

export function checkFiles(settings: Settings): Finding[] {
  const keyFiles = Object.values(settings.keys.managers).flatMap((one) =>
    one.type === 'local' && one.file !== undefined ? [one.file] : [],
  )
  const findings = keyFiles.map((path) => checkSecret('master key file', path))
  if (settings.credentials === undefined)
    findings.push(checkSecret('credentials file', join(settings.data, CREDENTIALS_FILE)))
  const { backend, state } = settings
  if (backend.type === 'local') {
    const beside = keyFiles.filter((path) => sameDisk(path, backend.path))
    for (const path of beside) {
      findings.push({
        what: 'the master key lies on the disk of the store',
        state: 'note',
        detail: `${resolve(path)}: keep a copy elsewhere; who takes this disk has both`,
      })
    }
  }
  if (state.type === 'local') {
    findings.push({
      what: 'back up the state store too',
      state: 'note',
      detail: `${resolve(state.path)}: it holds the keyring and uploads in progress`,
    })
  }
  return findings
}

function checkSecret(what: string, path: string): Finding {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return { what, state: 'failed', detail: `${path} is missing` }
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
  if ((found.mode & OWNER_ONLY) === 0) return { what, state: 'ok', detail: `${resolve(path)}, mode ${mode}` }
  return { what, state: 'failed', detail: `${resolve(path)} has mode ${mode}: others can read it; run chmod 600` }
}

function sameDisk(a: string, b: string): boolean {
  const [one, two] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false })?.dev)
  return one !== undefined && one === two
}
