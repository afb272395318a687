#!/usr/bin/env node
/**
 * `npm run certify`: real clients against running gateways over real stores, a matrix of cells (store, client); `--help` lists the
 * arguments. Tools that a registry offers are installed outside the repository (`${XDG_CACHE_HOME:-~/.cache}/sealgate-certify`, or
 * `CERTIFY_CACHE`). What cannot be had is named as not run. Results are kept there cell by cell, and docs/compatibility.md is made of
 * all of them by runs without `--quick`, or with `--document`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { runCell } from './certify/cell.mjs'
import { CLIENTS } from './certify/clients/table.mjs'
import { parseOptions, USAGE } from './certify/options.mjs'
import { renderCompatibility } from './certify/render.mjs'
import { loadCells, saveCell } from './certify/results.mjs'
import { STORES } from './certify/stores/table.mjs'
import { realTree, smallTree } from './certify/tree.mjs'

const named = (table) => table.map((one) => one.name)
const chosen = (table, names) => table.filter((one) => names === undefined || names.includes(one.name))

async function startStore(options, store) {
  const folder = mkdtempSync(join(options.cache, 'store-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    const running = await store.start({ ...options, folder }, await store.install(options))
    const stop = async () => {
      await running.stop()
      remove()
    }
    return { ...store, ...running, stop }
  } catch (error) {
    remove()
    throw error
  }
}

/** All chosen clients over one store, one after the other. */
async function runStore(options, store, clients, done) {
  let running
  try {
    running = await startStore(options, store)
  } catch (error) {
    const notRun = `the store: ${String(error.message ?? error).slice(0, 1000)}`
    for (const { name } of clients) done({ store: store.name, client: name, version: '', checks: [], notRun })
    return
  }
  try {
    for (const client of clients) {
      console.log(`\n== ${client.label} over ${store.label}`)
      done(await runCell(options, running, client))
    }
  } finally {
    await running.stop()
  }
}

/** The options, or the end of the process with what is wrong with them. */
function readArguments() {
  try {
    return parseOptions(process.argv.slice(2), known)
  } catch (error) {
    console.error(error.message)
    return process.exit(2)
  }
}

const known = { stores: named(STORES), clients: named(CLIENTS) }
const options = readArguments()
if (options.help) {
  console.log(`${USAGE}\n\nStores: ${known.stores.join(', ')}\nClients: ${known.clients.join(', ')}`)
  process.exit(0)
}
options.cache =
  process.env.CERTIFY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sealgate-certify')
mkdirSync(options.cache, { recursive: true })
options.tree = options.quick ? smallTree(options.cache) : realTree(options.cache)
console.log(`tree: ${options.tree.path}, ${options.tree.files} files, ${(options.tree.bytes / 2 ** 20).toFixed(0)} MiB`)

const cells = []
for (const store of chosen(STORES, options.stores)) {
  await runStore(options, store, chosen(CLIENTS, options.clients), (cell) => {
    if (cell.notRun !== undefined) console.log(`not run: ${cell.store}/${cell.client}: ${cell.notRun}`)
    cells.push(cell)
    if (!options.bare) saveCell(options.cache, cell)
  })
}
if (options.document || (!options.quick && !options.bare)) {
  writeFileSync('docs/compatibility.md', renderCompatibility(loadCells(options.cache), STORES, CLIENTS))
}

const checks = cells.flatMap((cell) => cell.checks)
const failed = checks.filter((one) => !one.ok).length
console.log('')
for (const cell of cells) {
  const bad = cell.checks.filter((one) => !one.ok).length
  const line =
    cell.notRun !== undefined
      ? `not run: ${cell.notRun.split('\n')[0]}`
      : bad > 0
        ? `${bad} FAILED of ${cell.checks.length}`
        : `ok ${cell.checks.length} checks`
  console.log(`${cell.store}/${cell.client}: ${line} (${(cell.seconds ?? 0).toFixed(0)} s)`)
}
console.log(
  `\n${checks.length - failed} passed, ${failed} failed, ${cells.filter((cell) => cell.notRun !== undefined).length} cells not run`,
)
// Cells asked for by name and not run are no success either, nor is a run without any check.
const asked = options.stores !== undefined && options.clients !== undefined
const missing = cells.filter((cell) => cell.notRun !== undefined && !cell.byDesign).length
process.exitCode = failed > 0 ? 1 : checks.length === 0 || (asked && missing > 0) ? 2 : 0
