/**
 * boto3: objects, transfers, ranges, conditions, checksums, copies, multipart, listings, presigned URLs; see boto3-checks.py;
 * versions, tags, locks, encryption, forms, CORS and configurations: see boto3-fidelity.py.
 */
import { join } from 'node:path'
import { python } from '../install.mjs'
import { sh } from '../shell.mjs'
import { runProgram, sdkEnv, SETTINGS } from './program.mjs'

const VERSION = '1.44.5'

export const boto3 = {
  name: 'boto3',
  label: 'boto3',
  settings: SETTINGS,
  install: ({ cache }) => ({ bin: python(cache, [`boto3==${VERSION}`]), version: VERSION }),
  run(cx, { bin }) {
    for (const name of ['boto3-checks', 'boto3-fidelity']) {
      const script = join('scripts', 'certify', 'clients', `${name}.py`)
      runProgram(cx, () => sh(join(bin, 'python'), [script], { env: sdkEnv(cx, name) }))
    }
  },
}
