/** A Python environment outside the repository, with what is asked for from PyPI. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { has, sh } from './shell.mjs'

/** The `bin` folder of the environment. Throws, with the reason, where there is no Python. */
export function python(cache, packages) {
  const folder = join(cache, 'python')
  const bin = join(folder, 'bin')
  if (!existsSync(join(bin, 'pip'))) {
    if (!has('python3')) throw new Error('there is no python3 on this machine')
    sh('python3', ['-m', 'venv', folder])
  }
  sh(join(bin, 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...packages])
  return bin
}
