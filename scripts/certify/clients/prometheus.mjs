/**
 * Not a client but a real Prometheus: its tools read the rules and every expression of the dashboards, and it scrapes a gateway of two workers until
 * alerts fire, each for a fault that was made on purpose.
 */
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { connect } from '../bare.mjs'
import { startGateway } from '../gateway.mjs'
import { debian } from '../install.mjs'
import { assert, freePort, serve, sh, until } from '../shell.mjs'

const RULES = 'deploy/prometheus/sealgate.rules.yml'
const TESTS = 'deploy/prometheus/tests'
const DASHBOARDS = 'deploy/grafana'
/** How long an alert may take that need not wait. */
const FIRE_SECONDS = 60

export const prometheus = {
  name: 'prometheus',
  label: 'Prometheus',
  notes:
    'Rules and tests of deploy/prometheus, all expressions of deploy/grafana, and alerts that fire for faults of a gateway of two workers that it scrapes.',
  leavesNothing: true,
  cannot: (_options, store) => (store.embedded ? undefined : 'metrics are tried over the embedded store'),
  install: (options) => {
    const bin = debian(options, '/usr/bin/prometheus', ['prometheus'])
    const promtool = debian(options, '/usr/bin/promtool', ['prometheus'])
    return { bin, promtool, version: /version (\S+),/.exec(sh(bin, ['--version']))?.[1] ?? '' }
  },
  run,
}

async function run(cx, { bin, promtool }) {
  const { check } = cx
  const folder = mkdtempSync(join(cx.cache, 'prometheus-'))
  const running = []
  try {
    await check('promtool check rules', () => counted(sh(promtool, ['check', 'rules', RULES])))
    await check('promtool test rules', () => {
      const files = readdirSync(TESTS).map((name) => join(TESTS, name))
      sh(promtool, ['test', 'rules', ...files])
      return `${files.map((name) => readFileSync(name, 'utf8').match(/^ {2}- name: /gm).length).reduce((a, b) => a + b)} tests`
    })
    const expressions = dashboardExpressions()
    await check('promtool check rules, of every expression of the dashboards', () => {
      const file = join(folder, 'dashboards.yml')
      const rules = expressions.map((expr, at) => ({ record: `dashboard:expression:${at}`, expr }))
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboards', rules }] }))
      return counted(sh(promtool, ['check', 'rules', file]))
    })
    const admin = `127.0.0.1:${await freePort()}`
    const env = { SEALGATE_ADMIN_LISTEN: admin, SEALGATE_SERVER_WORKERS: '2' }
    const gateway = await startGateway(cx.cache, cx.store, { env })
    running.push(gateway)
    await check('promtool check metrics', () => checkMetrics(promtool, admin))
    const server = await startPrometheus(folder, bin, promtool, admin)
    running.push(server)
    await observe(cx, server, { gateway, admin, expressions })
  } finally {
    for (const { log } of running) if (existsSync(log)) appendFileSync(cx.gateway.log, readFileSync(log))
    for (const one of running.toReversed()) await one.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Rules and dashboards over a gateway that is well first, and then is not. */
async function observe({ check, gateway: { log: kept } }, server, { gateway, admin, expressions }) {
  const s3 = connect(gateway)
  s3.config.maxAttempts = async () => 1
  await check('it scrapes the gateway as OpenMetrics, and sees its requests', async () => {
    await traffic(s3)
    return until(async () => {
      const [found] = await server.query('sum(sealgate_requests_total{operation="PutObject",status="200"})')
      assert(Number(found?.value[1]) === 20, `it sees ${found?.value[1]} writes`)
      return (await (await fetch(`http://${admin}/metrics`, { headers: { accept: ACCEPT } })).text()).split('\n').length + ' lines'
    }, FIRE_SECONDS)
  })
  await check('every expression of the dashboards is answered', async () => {
    let filled = 0
    for (const expr of expressions) if ((await server.query(expr)).length > 0) filled += 1
    return `${expressions.length}, of which ${filled} with values`
  })
  await check('no alert fires while the gateway is well', async () => {
    const firing = await server.firing()
    assert(firing.length === 0, `firing: ${firing.join(', ')}`)
  })
  await check('SealgateIntegrityFailure fires when a byte of a stored object has changed', async () => {
    corrupt(join(gateway.data, 'objects'))
    await refused(s3)
    return server.fires('SealgateIntegrityFailure')
  })
  await check('SealgateReloadRefused fires when the credentials file is no longer one', async () => {
    const text = readFileSync(gateway.credentialsFile, 'utf8')
    writeFileSync(gateway.credentialsFile, 'nothing\n')
    const told = await server.fires('SealgateReloadRefused')
    writeFileSync(gateway.credentialsFile, text)
    await until(async () => assert(!(await server.firing()).includes('SealgateReloadRefused'), 'it fires on'), FIRE_SECONDS)
    return `${told}, and ends when it is mended`
  })
  await check('SealgateDown fires when the gateway is stopped', async () => {
    s3.destroy()
    // Its folder goes with it.
    appendFileSync(kept, readFileSync(gateway.log))
    await gateway.stop()
    return server.fires('SealgateDown')
  })
}

/** As Prometheus asks. */
const ACCEPT = 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

const Bucket = 'watched'
const LARGE = { Bucket, Key: 'large' }

async function traffic(s3) {
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ ...LARGE, Body: Buffer.alloc(3_000_000, 'x') }))
  for (let i = 1; i < 20; i += 1) await s3.send(new PutObjectCommand({ Bucket, Key: `k${i}`, Body: 'x' }))
  await read(s3)
  await s3.send(new ListObjectsV2Command({ Bucket }))
}

async function read(s3) {
  const { Body } = await s3.send(new GetObjectCommand(LARGE))
  await Body.transformToByteArray()
}

async function refused(s3) {
  const error = await read(s3).then(() => undefined, (caught) => caught)
  assert(error !== undefined, 'the object was read all the same')
}

/** In the middle of the largest file. */
function corrupt(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  const paths = files.map((one) => join(one.parentPath ?? one.path, one.name)).filter((path) => !path.endsWith('.mdb'))
  const [path] = paths.toSorted((a, b) => statSync(b).size - statSync(a).size)
  const bytes = readFileSync(path)
  assert(bytes.length >= 3_000_000, `the largest file has ${bytes.length} bytes`)
  bytes[bytes.length >> 1] ^= 1
  writeFileSync(path, bytes)
}

function counted(output) {
  const found = Number(/SUCCESS: (\d+) rules found/.exec(output)?.[1])
  assert(found > 0, output)
  return `${found} rules`
}

/** What Grafana would send. */
function dashboardExpressions() {
  const files = readdirSync(DASHBOARDS).filter((name) => name.endsWith('.json'))
  return files.flatMap((name) => {
    const { panels } = JSON.parse(readFileSync(join(DASHBOARDS, name), 'utf8'))
    return panels.flatMap(({ targets = [] }) =>
      targets.map(({ expr }) =>
        expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', '.*').replaceAll('$instance', '.*'),
      ),
    )
  })
}

async function checkMetrics(promtool, admin) {
  const text = await (await fetch(`http://${admin}/metrics`)).text()
  const output = sh(promtool, ['check', 'metrics'], { input: text })
  assert(output.trim() === '', output)
  return `${text.split('\n').filter((line) => line.startsWith('# TYPE')).length} metrics`
}

/** It looks every second, and no alert waits longer: what would be minutes are seconds here. */
async function startPrometheus(folder, bin, promtool, admin) {
  const listen = `127.0.0.1:${await freePort()}`
  const [config, rules, log] = ['prometheus.yml', 'sealgate.rules.yml', 'prometheus.log'].map((name) => join(folder, name))
  writeFileSync(rules, readFileSync(RULES, 'utf8').replaceAll(/^( +for:) .*$/gm, '$1 2s'))
  const scrape = { job_name: 'sealgate', scrape_interval: '1s', scrape_timeout: '1s', static_configs: [{ targets: [admin] }] }
  writeFileSync(config, JSON.stringify({ global: { evaluation_interval: '1s' }, rule_files: [resolve(rules)], scrape_configs: [scrape] }))
  sh(promtool, ['check', 'config', config])
  writeFileSync(log, '')
  const server = await serve(
    bin,
    [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${listen}`],
    { log, ready: (text) => text.includes('Server is ready to receive web requests') },
  )
  const ask = async (path) => {
    const answer = await fetch(`http://${listen}/api/v1/${path}`)
    const body = await answer.json()
    assert(body.status === 'success', `${path}: ${body.error}`)
    return body.data
  }
  const query = async (expr) => (await ask(`query?query=${encodeURIComponent(expr)}`)).result
  const firing = async () => {
    const { alerts } = await ask('alerts')
    return [...new Set(alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname))]
  }
  const fires = async (name) => {
    const begun = Date.now()
    await until(async () => assert((await firing()).includes(name), `${name} does not fire`), FIRE_SECONDS)
    return `after ${((Date.now() - begun) / 1_000).toFixed(0)} s`
  }
  return { query, firing, fires, log, stop: server.stop }
}
