/** A real software token (SoftHSM 2), the package that speaks to it, and a library between them that makes it slow or locks it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, debian, nodePackages } from './install.mjs'
import { sh } from './shell.mjs'

const SOURCE = join(dirname(fileURLToPath(import.meta.url)), 'pkcs11')
const LIBRARY = '/usr/lib/softhsm/libsofthsm2.so'
const PIN = 'certify-1357'
const SO_PIN = 'certify-2468'
const LABEL = 'certify'

export function installPkcs11(options) {
  const util = debian(options, '/usr/bin/softhsm2-util', ['softhsm2'])
  const tool = debian(options, '/usr/bin/pkcs11-tool', ['opensc'])
  const packages = nodePackages(options.cache, 'node-pkcs11', ['pkcs11js@2.1.7'])
  const headers = join(packages, 'pkcs11js', 'includes', 'pkcs11')
  const between = build(options.cache, SOURCE, {
    needs: ['cc', ['--version']],
    sources: ['between.c'],
    product: 'between.so',
    command: ['cc', '-w', '-shared', '-fPIC', `-I${headers}`, '-o', 'between.so', 'between.c', '-ldl'],
  })
  return { util, tool, packages, between, version: sh(util, ['--version']).trim() }
}

/** A token in `folder` with an AES-256 key for each label. */
export function makeToken(folder, { util, tool, packages, between }, labels) {
  const tokens = join(folder, 'tokens')
  const [conf, control, pinFile] = ['softhsm.conf', 'between', 'pin'].map((name) => join(folder, name))
  mkdirSync(tokens, { recursive: true })
  writeFileSync(conf, `directories.tokendir = ${tokens}\nlog.level = ERROR\n`)
  writeFileSync(control, '')
  writeFileSync(pinFile, `${PIN}\n`, { mode: 0o600 })
  /** Of whoever speaks to the token. */
  const env = { SOFTHSM2_CONF: conf, BETWEEN_FILE: control, BETWEEN_LIBRARY: LIBRARY, NODE_PATH: packages }
  sh(util, ['--init-token', '--free', '--label', LABEL, '--so-pin', SO_PIN, '--pin', PIN], { env })
  const makeKey = (label, id) => {
    const login = ['--module', LIBRARY, '--token-label', LABEL, '--login', '--pin', PIN]
    const key = ['--keygen', '--key-type', 'AES:32', '--label', label, '--id', id]
    sh(tool, [...login, ...key], { env })
  }
  for (const [i, label] of labels.entries()) makeKey(label, `0${i + 1}`)
  const [home] = readdirSync(tokens)
  const [inside, away] = [join(tokens, home), join(folder, 'taken-out')]
  const logins = () => (existsSync(`${control}.logins`) ? readFileSync(`${control}.logins`).length : 0)
  const given = { package: join(packages, 'pkcs11js', 'index.js'), library: LIBRARY, label: LABEL, pin: PIN }
  return {
    pin: PIN,
    /** Of the tests that want a real token. */
    contractEnv: { ...env, SEALGATE_TEST_PKCS11: JSON.stringify(given) },
    makeKey,
    takeOut: () => renameSync(inside, away),
    putBack: () => renameSync(away, inside),
    /** From now on; `''` ends it. */
    say: (what) => writeFileSync(control, `${what}\n`),
    /** Logins since `made`, for what `work` does. */
    loginsOf: async (work) => {
      const before = logins()
      await work()
      return logins() - before
    },
    /** Settings of a gateway by environment variables. */
    settings: (manager = {}) => ({
      ...env,
      SEALGATE_KEYS_ACTIVE: 'hsm',
      SEALGATE_KEYS_CACHE_LIFETIME: '1s',
      SEALGATE_KEYS_MANAGERS: JSON.stringify({
        hsm: {
          type: 'pkcs11',
          module: between,
          token: { label: LABEL },
          pinFile,
          key: { label: labels[0] },
          timeout: '1s',
          retry: { attempts: 2, budget: '3s' },
          breaker: { failures: 3, probeInterval: '1s' },
          ...manager,
        },
      }),
    }),
  }
}
