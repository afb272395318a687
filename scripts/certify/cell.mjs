/** One cell of the matrix: one client against a fresh gateway over one store. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bucketNames, connect, removeBucket } from './bare.mjs'
import { startGateway } from './gateway.mjs'
import { searchPlaintext } from './leaks.mjs'

/** Runs checks one by one and keeps what became of them. */
function recorder() {
  const checks = []
  const record = (what, ok, seconds, detail = '') => {
    checks.push({ what, ok, seconds, detail: detail.slice(0, 2000) })
    console.log(ok ? `ok   ${what} (${seconds.toFixed(1)} s) ${detail}` : `FAIL ${what}\n${detail}`)
  }
  const check = async (what, work) => {
    const at = Date.now()
    try {
      const detail = await work()
      record(what, true, (Date.now() - at) / 1000, detail ?? '')
    } catch (error) {
      record(what, false, (Date.now() - at) / 1000, String(error.message ?? error))
    }
  }
  return { checks, record, check }
}

export async function runCell(options, store, client) {
  const started = Date.now()
  const cell = {
    store: store.name,
    storeVersion: store.version,
    client: client.name,
    version: '',
    node: process.version,
  }
  const { checks, record, check } = recorder()
  const end = (more) => ({
    ...cell,
    date: new Date().toISOString().slice(0, 10),
    quick: options.quick,
    checks,
    seconds: (Date.now() - started) / 1000,
    ...more,
  })
  const cannot = options.bare && store.embedded ? 'it has no endpoint' : client.cannot?.(options, store)
  if (cannot !== undefined) return end({ notRun: cannot, byDesign: true })
  let gateway
  try {
    const tool = await client.install(options)
    cell.version = tool.version ?? ''
    gateway = options.bare
      ? bareTarget(options.cache, store)
      : await startGateway(options.cache, store, { tls: client.tls, env: client.settings })
    const before = await bucketsOf(store)
    const context = { ...options, store, gateway, check, record, ...expectations(options, store) }
    await client.run(context, tool)
    if (client.leavesNothing !== true) await proof(context, before)
    await clean(store, before)
    return end({})
  } catch (error) {
    const reason = String(error.message ?? error)
    if (checks.length === 0) return end({ notRun: reason.slice(0, 1000) })
    record('runs to its end', false, 0, reason)
    return end({})
  } finally {
    if (checks.some((one) => !one.ok)) keepLog(options.cache, gateway, cell)
    await gateway?.stop()
  }
}

/** What the gateway said, for whoever looks into a failure: its folder goes. */
function keepLog(cache, gateway, { store, client }) {
  if (gateway?.log === undefined) return
  mkdirSync(join(cache, 'logs'), { recursive: true })
  copyFileSync(gateway.log, join(cache, 'logs', `${store}-${client}.log`))
}

/** What differs by store in what a client may see. */
function expectations({ bare }, store) {
  return {
    /** Whether ETags of single PUTs are MD5s of the plaintext. */
    md5Etags: store.embedded === true && !bare,
    /** What a conditional PUT that must not overwrite is answered with. */
    conditional: store.conditionalWrites === false && !bare ? '501' : '412',
  }
}

async function proof({ gateway, store, bare, check }, before) {
  if (bare) return
  await check('no plaintext at the store', async () => {
    const front = connect(gateway)
    const buckets = (await bucketNames(front)).filter((name) => !before.includes(name))
    front.destroy()
    return searchPlaintext({ gateway, store, buckets })
  })
}

async function bucketsOf(store) {
  if (store.embedded) return []
  const behind = connect(store)
  try {
    return await bucketNames(behind)
  } finally {
    behind.destroy()
  }
}

/** The next client finds the store as this one did. */
async function clean(store, before) {
  if (store.embedded) return
  const behind = connect(store)
  try {
    for (const name of await bucketNames(behind)) if (!before.includes(name)) await removeBucket(behind, name)
  } catch (error) {
    console.log(`(the store was not left clean: ${error.message})`)
  } finally {
    behind.destroy()
  }
}

/** The store itself in place of a gateway: it tells the store's own limits from the gateway's. */
function bareTarget(cache, store) {
  const folder = mkdtempSync(join(cache, 'bare-'))
  const credentialsFile = join(folder, 'aws-credentials')
  const text = `[sealgate]\naws_access_key_id = ${store.accessKey}\naws_secret_access_key = ${store.secretKey}\n`
  writeFileSync(credentialsFile, text)
  const { endpoint, accessKey, secretKey } = store
  const stop = async () => rmSync(folder, { recursive: true, force: true })
  return { endpoint, host: new URL(endpoint).host, folder, credentialsFile, accessKey, secretKey, env: {}, stop }
}
