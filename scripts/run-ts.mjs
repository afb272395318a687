#!/usr/bin/env node
/**
 * Runs one TypeScript file: `node scripts/run-ts.mjs FILE [args…]`. Node 20 cannot strip types, so the file is bundled
 * with esbuild (packages stay external) below node_modules/.cache/sealgate/ and run with the given arguments.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const [file, ...args] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: node scripts/run-ts.mjs FILE [args…]')
  process.exit(2)
}

// One name for each source file and process: two runs at once never see each other's half-written bundle.
const digest = createHash('sha256').update(path.resolve(file)).digest('hex').slice(0, 12)
const name = `${path.basename(file, '.ts')}-${digest}-${process.pid}.mjs`
const outfile = path.join(root, 'node_modules', '.cache', 'sealgate', name)

try {
  await build({
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    sourcemap: 'inline',
    logLevel: 'error',
  })
} catch {
  process.exit(1) // esbuild has printed the reason
}
const child = spawn(process.execPath, ['--enable-source-maps', outfile, ...args], { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => {
  rmSync(outfile, { force: true })
  process.exit(signal === null ? (code ?? 1) : 1)
})
