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

process.setSourceMapsEnabled(true)
await import(pathToFileURL(existsSync(source) ? await bundle() : join(root, 'dist', 'main.js')).href)

/** Several processes may start at once: each writes its own file and moves it into place whole. */
async function bundle() {
  const { build, stop } = await import('esbuild')
  const folder = join(root, 'node_modules', '.cache', 'sealgate')
  const target = join(folder, 'main.mjs')
  const mine = join(folder, `main-${process.pid}.mjs`)
  mkdirSync(folder, { recursive: true })
  await build({
    entryPoints: [source],
    outfile: mine,
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: 'inline',
    logLevel: 'error',
  })
  // Its helper process would live as long as the gateway.
  await stop()
  renameSync(mine, target)
  return target
}
