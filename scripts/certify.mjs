#!/usr/bin/env node
/**
 * `npm run certify [-- --system-packages] [-- --only NAME]`: real clients against a running gateway, over a real directory tree. Tools that a
 * registry offers are installed outside the repository (`${XDG_CACHE_HOME:-~/.cache}/sealgate-certify`, or `CERTIFY_CACHE`).
 * What cannot be had is named as not run. Results go to docs/compatibility.md, made from the run's JSON beside it in the cache.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { awsCli } from './certify/aws-cli.mjs'
import { boto3 } from './certify/boto3.mjs'
import { startGateway } from './certify/gateway.mjs'
import { leaks } from './certify/leaks.mjs'
import { reader } from './certify/reader.mjs'
import { rclone } from './certify/rclone.mjs'
import { renderCompatibility } from './certify/render.mjs'
import { sdkJs } from './certify/sdk-js.mjs'
import { findTree } from './certify/tree.mjs'

const flags = process.argv.slice(2)
const only = flags.includes('--only') ? flags[flags.indexOf('--only') + 1] : undefined
const cache = process.env.CERTIFY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sealgate-certify')
mkdirSync(cache, { recursive: true })

/** Each client is a function of the context that returns its version and checks, or why it could not run. */
const CLIENTS = [
  ['AWS SDK for JavaScript v3', sdkJs],
  ['boto3', boto3],
  ['aws-cli', awsCli],
  ['rclone', rclone],
  ['Python reader', reader],
  ['search for plaintext in the data folder', leaks],
]

const tree = findTree()
console.log(`tree: ${tree.path}, ${tree.files} files, ${(tree.bytes / 2 ** 30).toFixed(2)} GiB`)
const gateway = await startGateway(cache)
const results = []
try {
  const context = { cache, tree, gateway, systemPackages: flags.includes('--system-packages') }
  for (const [name, run] of CLIENTS) {
    if (only !== undefined && only !== run.name) continue
    console.log(`\n== ${name}`)
    const checks = []
    const started = Date.now()
    const check = async (what, work) => {
      const at = Date.now()
      try {
        const detail = await work()
        checks.push({ what, ok: true, seconds: (Date.now() - at) / 1000, detail: detail ?? '' })
        console.log(`ok   ${what} (${((Date.now() - at) / 1000).toFixed(1)} s) ${detail ?? ''}`)
      } catch (error) {
        checks.push({ what, ok: false, seconds: (Date.now() - at) / 1000, detail: String(error.message ?? error).slice(0, 2000) })
        console.log(`FAIL ${what}\n${error.message ?? error}`)
      }
    }
    const outcome = await run({ ...context, check }).catch((error) => ({ notRun: String(error.message ?? error) }))
    if (outcome?.notRun !== undefined) console.log(`not run: ${outcome.notRun}`)
    results.push({ name, version: outcome?.version ?? '', notRun: outcome?.notRun, checks, seconds: (Date.now() - started) / 1000 })
  }
} finally {
  await gateway.stop()
}

const passed = results.flatMap((one) => one.checks).filter((one) => one.ok).length
const failed = results.flatMap((one) => one.checks).length - passed
const run = { node: process.version, tree: { files: tree.files, bytes: tree.bytes }, results }
writeFileSync(join(cache, 'results.json'), `${JSON.stringify(run, null, 2)}\n`)
if (only === undefined) writeFileSync('docs/compatibility.md', renderCompatibility(run))
for (const one of results) if (one.notRun !== undefined) console.log(`not run: ${one.name}: ${one.notRun}`)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
