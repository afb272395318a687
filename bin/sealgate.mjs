#!/usr/bin/env node
/** The command. An installed package runs its built files; a checkout makes its program first, in well under a second. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const isCheckout = existsSync(join(root, 'src', 'main.ts'))

const program = isCheckout ? await (await import('./bundle.mjs')).bundle() : join(root, 'dist', 'main.js')
// What further processes of the gateway run.
process.argv[1] = program
await import(pathToFileURL(program).href)
