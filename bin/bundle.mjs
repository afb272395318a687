/** The program of a checkout: `src/` and its libraries in one file, since Node 20 cannot strip types (docs/decisions/0001). */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, stop } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, 'node_modules', '.cache', 'sealgate')

/**
 * Makes it, and returns its path. The folder has the name of what is in it: what runs, and whatever it starts later, is never exchanged
 * for the program of other sources.
 */
export async function bundle() {
  const { outputFiles } = await build({
    // Threads begin with files of their own; src/compose/pkcs11.ts looks for this one beside the program.
    entryPoints: {
      main: join(root, 'src', 'main.ts'),
      'pkcs11-worker': join(root, 'src', 'keys', 'pkcs11', 'worker.ts'),
    },
    outdir: cache,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    write: false,
    // Hundreds of small files take longer to find than to run. What is native, optional or seldom needed stays where it is.
    external: ['lmdb', 'pkcs11js', 'esbuild', '@aws-sdk/*', '@azure/*', '@google-cloud/*', '@opentelemetry/*', '@grpc/*', 'pprof-format'],
    // For libraries that are CommonJS.
    banner: { js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);" },
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // Reading a map at every start takes longer than all else: for `NODE_OPTIONS=--enable-source-maps` alone.
    sourcemap: process.sourceMapsEnabled ? 'inline' : false,
    logLevel: 'error',
  })
  // Its helper process would live as long as the gateway.
  await stop()
  const hash = createHash('sha256')
  for (const { contents } of outputFiles) hash.update(contents)
  const folder = join(cache, hash.digest('hex').slice(0, 16))
  if (!existsSync(folder)) place(folder, outputFiles)
  return join(folder, 'main.mjs')
}

/** Several processes may start at once: each writes a folder of its own, and one of them becomes the one. */
function place(folder, files) {
  const mine = `${folder}-${process.pid}`
  mkdirSync(mine, { recursive: true })
  for (const { path, contents } of files) writeFileSync(join(mine, path.slice(cache.length + 1)), contents)
  try {
    renameSync(mine, folder)
  } catch (error) {
    rmSync(mine, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}
