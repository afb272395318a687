/** Installers: package registries only, into the cache folder, each thing once. They throw with the reason where something is missing. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { has, sh } from './shell.mjs'

const GO_ENV = { CGO_ENABLED: '0', GOFLAGS: '-trimpath' }
/** Compilers are long; they leave the processors to whoever else needs them. */
const nice = (file, args, options) => sh('nice', ['-n', '15', file, ...args], { minutes: 60, ...options })

/** Installs a program by `go install` unless it is there; returns its path. */
export function goInstall(cache, name, module) {
  const bin = join(cache, 'bin', name)
  if (existsSync(bin)) return bin
  if (!has('go', ['version'])) throw new Error('there is no Go on this machine')
  mkdirSync(join(cache, 'bin'), { recursive: true })
  nice('go', ['install', module], { env: { ...GO_ENV, GOBIN: join(cache, 'bin') } })
  return bin
}

/**
 * Builds one of our own small programs in a copy of its folder in the cache; `command` makes it, `product` is the path of what comes out.
 * It is built anew when its sources change.
 */
export function build(cache, source, { needs, sources, product, command }) {
  const [tool] = needs
  if (!has(...needs)) throw new Error(`there is no ${tool} on this machine`)
  const name = source.split('/').at(-1)
  const folder = join(cache, 'build', name)
  const stamp = join(folder, '.built')
  const hash = createHash('sha256')
  for (const file of sources) hash.update(readFileSync(join(source, file)))
  const wanted = hash.digest('hex')
  const made = resolve(folder, product)
  if (existsSync(made) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return made
  mkdirSync(folder, { recursive: true })
  for (const file of sources) cpSync(join(source, file), join(folder, file))
  const [file, ...args] = command
  nice(file, args, { cwd: folder, env: tool === 'go' ? GO_ENV : {} })
  writeFileSync(stamp, wanted)
  return made
}

/** The `bin` folder of a Python environment of its own (packages disagree about versions) with what is asked for from PyPI. */
export function python(cache, packages, name = 'python') {
  const folder = join(cache, name)
  const bin = join(folder, 'bin')
  const stamp = join(folder, `.has-${createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 16)}`)
  if (existsSync(stamp)) return bin
  if (!existsSync(join(bin, 'pip'))) {
    if (!has('python3')) throw new Error('there is no python3 on this machine')
    sh('python3', ['-m', 'venv', folder])
  }
  nice(join(bin, 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...packages])
  writeFileSync(stamp, `${packages.join('\n')}\n`)
  return bin
}

/** The `node_modules` folder of its own with what is asked for from npm, compiled where a package is to be. */
export function nodePackages(cache, name, packages) {
  const folder = join(cache, name)
  const stamp = join(folder, `.has-${createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 16)}`)
  if (!existsSync(stamp)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    nice('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', ...packages])
    writeFileSync(stamp, `${packages.join('\n')}\n`)
  }
  return join(folder, 'node_modules')
}

/** A program of Debian: as it is on this machine, or installed where `--system-packages` allows it. */
export function debian({ systemPackages }, program, packages) {
  if (!existsSync(program) && systemPackages) {
    // Debian starts what it installs, on all addresses, unless this file says no.
    if (!existsSync('/usr/sbin/policy-rc.d'))
      writeFileSync('/usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n', { mode: 0o755 })
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    sh('apt-get', ['update', '-q'], { env })
    sh('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], { env })
  }
  if (!existsSync(program))
    throw new Error(`${program} is not there (\`--system-packages\` installs Debian's ${packages.join(', ')})`)
  return program
}
