#!/usr/bin/env node
/** What `.ci/run` does; see there. Everything runs even if something failed, so that one run tells all. */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { readmeBlocks } from './readme-blocks.mjs'

const NEVER_COPIED = ['node_modules', 'dist', 'coverage', 'sealgate-data', '.git']
const START_SECONDS = 120
const STOP_SECONDS = 40

let passed = 0
let failed = 0
const notRun = []

function record(name, ok, detail = '') {
  if (ok) passed += 1
  else failed += 1
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${ok || detail === '' ? '' : `\n${detail}`}`)
}

/** Runs a shell command in `cwd`, its output shown as it comes. */
function run(command, cwd) {
  console.log(`\n$ ${command}`)
  return spawnSync('bash', ['-euo', 'pipefail', '-c', command], { cwd, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
}

/** Starts a shell command in its own process group, waits for `url`, and returns the function that stops it. */
async function serve(command, cwd, url) {
  console.log(`\n$ ${command} &`)
  const child = spawn('bash', ['-euo', 'pipefail', '-c', command], { cwd, stdio: ['ignore', 'inherit', 'inherit'], detached: true })
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} did not start`)
  const ended = new Promise((resolve) => child.on('exit', (code) => resolve(code)))
  // The shell dies of the signal at once; what counts is that the gateway behind it ends too.
  const stop = async () => {
    process.kill(-pid, 'SIGTERM')
    await ended
    for (let tries = 0; tries < STOP_SECONDS * 4; tries += 1) {
      const answers = await fetch(url).then(
        () => true,
        () => false,
      )
      if (!answers) return true
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    return false
  }
  for (let tries = 0; tries < START_SECONDS * 4; tries += 1) {
    const ready = await fetch(url).then((answer) => answer.ok, () => false)
    if (ready) return { ready: true, stop }
    if (child.exitCode !== null) return { ready: false, stop: async () => true }
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  return { ready: false, stop }
}

async function tryReadme() {
  const copy = mkdtempSync(join(tmpdir(), 'sealgate-ci-'))
  cpSync('.', copy, { recursive: true, filter: (source) => !NEVER_COPIED.includes(relative('.', source).split('/')[0]) })
  const running = []
  try {
    for (const { how, argument, body } of readmeBlocks('README.md')) {
      const name = `README: ${body.split('\n')[0]}`
      if (how === 'run') record(name, run(body, copy))
      else if (how === 'serve') {
        const server = await serve(body, copy, argument)
        running.push(server.stop)
        record(name, server.ready, `no answer from ${argument} within ${START_SECONDS} s`)
      } else if (how === 'needs') notRun.push(`${name} (needs ${argument}; \`npm run certify\` runs it)`)
    }
    for (const stop of running.splice(0)) record('README: what was started stops on SIGTERM', await stop())
  } finally {
    for (const stop of running) await stop()
    rmSync(copy, { recursive: true, force: true })
  }
}

const CELLS_MILLISECONDS = 25 * 60_000

/** Real clients over a real store, where the machine can build them: the registries of Go and Python have what is needed. */
function tryCells() {
  const name = 'MinIO with boto3, aws-cli and rclone'
  const missing = ['go', 'python3'].filter((tool) => spawnSync(tool, [tool === 'go' ? 'version' : '--version']).error !== undefined)
  if (missing.length > 0) {
    notRun.push(`${name} (needs ${missing.join(' and ')}; \`npm run certify\` runs it)`)
    return
  }
  const cells = ['scripts/certify.mjs', '--store', 'minio', '--client', 'boto3,aws-cli,rclone', '--quick']
  console.log(`\n$ node ${cells.join(' ')}`)
  const { status } = spawnSync(process.execPath, cells, {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: CELLS_MILLISECONDS,
  })
  // 2: something could not be installed or started, which is said above; null: not within the time.
  if (status === 0 || status === 1) record(name, status === 0)
  else notRun.push(`${name} (${status === null ? `not within ${CELLS_MILLISECONDS / 60_000} minutes` : 'see above'})`)
}

record('dependencies: npm ci', run('npm ci', '.'))
record('tests: npm test', run('npm test', '.'))
record('check: npm run check', run('npm run check', '.'))
await tryReadme()
tryCells()
for (const reason of notRun) console.log(`not run: ${reason}`)
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
