import { spawnSync } from 'node:child_process'

/** Runs a command and returns its output; throws with the end of it if it fails. */
export function sh(file, args, { env = {}, cwd, input } = {}) {
  const result = spawnSync(file, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    cwd,
    input,
    maxBuffer: 256 * 1024 * 1024,
  })
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`
  if (result.error) throw result.error
  if (result.status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${result.status}\n${output.slice(-3000)}`)
  return output
}

/** Whether a command can be started at all. */
export function has(file, args = ['--version']) {
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0
}

export function assert(condition, message) {
  if (!condition) throw new Error(message)
}
