/** What a thread needs as files, from sources: itself, and the stand-in in a folder of packages. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export interface Pkcs11Files {
  readonly folder: string
  /** For NODE_PATH. */
  readonly packages: string
  readonly worker: URL
  readonly package: string
  readonly remove: () => void
}

export async function pkcs11Files(): Promise<Pkcs11Files> {
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-pkcs11-'))
  const packages = join(folder, 'node_modules')
  const worker = join(folder, 'worker.mjs')
  const standIn = join(packages, 'pkcs11js', 'index.js')
  const common = { bundle: true, platform: 'node', target: 'node20', logLevel: 'error' } as const
  await build({ ...common, entryPoints: [at('src/keys/pkcs11/worker.ts')], outfile: worker, format: 'esm' })
  await build({ ...common, entryPoints: [at('test/helpers/soft-token.ts')], outfile: standIn, format: 'cjs' })
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  return { folder, packages, worker: pathToFileURL(worker), package: standIn, remove }
}
