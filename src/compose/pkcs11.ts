/** What an HSM is spoken to with: its library, the package that loads it, and the file of the threads that do. */
import { accessSync, constants, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { ManagerSettings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'
import { INSTALL, PACKAGE } from '../keys/pkcs11/errors.ts'
import type { PoolParts } from '../keys/pkcs11/pool.ts'

type Pkcs11Settings = ManagerSettings<'pkcs11'>

/** Throws `Invalid` if the library or the package is not there. Loads neither. */
export async function pkcs11Parts(alias: string, settings: Pkcs11Settings): Promise<PoolParts> {
  const { module, token, pin, key, formerKeys, sessions, timeout } = settings
  requireFile(module, `keys.managers.${alias}.module`)
  return {
    alias,
    worker: await workerFile(),
    settings: { package: packagePath(alias), module, token, keys: [key, ...formerKeys] },
    pin,
    sessions,
    timeout,
  }
}

function requireFile(path: string, what: string): void {
  try {
    accessSync(path, constants.R_OK)
  } catch (cause) {
    throw new Invalid(`${what} cannot be read: ${path}`, { cause })
  }
}

function packagePath(alias: string): string {
  try {
    return createRequire(import.meta.url).resolve(PACKAGE)
  } catch {
    throw new Invalid(
      `keys.managers.${alias}: a key manager of type pkcs11 needs the package ${PACKAGE}, which is not installed; beside Sealgate run \`${INSTALL}\` (it compiles: C++ and make must be there)`,
    )
  }
}

/** Where this file lies tells what Sealgate runs from: the bundle of a checkout, a built package, or sources. */
async function workerFile(): Promise<URL> {
  const [bundled, built, source] = ['./pkcs11-worker.mjs', '../keys/pkcs11/worker.js', '../keys/pkcs11/worker.ts'].map(
    (path) => new URL(path, import.meta.url),
  )
  const ready = [bundled, built].find((url) => url !== undefined && existsSync(url))
  if (ready !== undefined) return ready
  if (source === undefined || !existsSync(source))
    throw new Invalid('this installation of Sealgate lacks its PKCS#11 worker')
  return bundledNow(source)
}

/** As bin/sealgate.mjs does, for whoever runs sources in some other way: Node 20 cannot strip types. */
async function bundledNow(source: URL): Promise<URL> {
  const { build, stop } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(source)],
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    write: false,
  })
  await stop()
  const text = Buffer.from(outputFiles[0]?.contents ?? new Uint8Array())
  return new URL(`data:text/javascript;base64,${text.toString('base64')}`)
}
