#!/usr/bin/env node
/**
 * The command. An installed package runs its built files; a checkout bundles `src/` first (well under a second), since
 * Node 20 cannot strip types.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src', 'main.ts')

const program = existsSync(source) ? await bundle() : join(root, 'dist', 'main.js')
// What further processes of the gateway run.
process.argv[1] = program
await import(pathToFileURL(program).href)

/** Several processes may start at once: each writes its own files and moves them into place whole. */
async function bundle() {
  const { build, stop } = await import('esbuild')
  const folder = join(root, 'node_modules', '.cache', 'sealgate')
  const mine = (name) => join(folder, `${name}-${process.pid}.mjs`)
  const target = (name) => join(folder, `${name}.mjs`)
  mkdirSync(folder, { recursive: true })
  await build({
    // Threads begin with files of their own; src/compose/pkcs11.ts looks for this one beside the program.
    entryPoints: [
      { in: source, out: `main-${process.pid}` },
      { in: join(root, 'src', 'keys', 'pkcs11', 'worker.ts'), out: `pkcs11-worker-${process.pid}` },
    ],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // Hundreds of small files take longer to find than to run. What is native, optional or only seldom needed stays where it is.
    external: ['lmdb', 'pkcs11js', '@aws-sdk/*', '@azure/*', '@google-cloud/*'],
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // Reading a map at every start takes longer than all else: for `NODE_OPTIONS=--enable-source-maps` alone.
    sourcemap: process.sourceMapsEnabled ? 'inline' : false,
    logLevel: 'error',
  })
  // Its helper process would live as long as the gateway.
  await stop()
  for (const name of ['pkcs11-worker', 'main']) renameSync(mine(name), target(name))
  return target('main')
}
