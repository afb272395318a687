/** The same requests to bare MinIO, to a gateway over MinIO and to one over its own store: every difference is explained or a failure. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startGateway } from '../gateway.mjs'
import { embedded } from '../stores/embedded.mjs'
import { minio } from '../stores/minio.mjs'
import { differences } from './compare.mjs'
import { EXPLAINED, explanationOf } from './explain.mjs'
import { play } from './play.mjs'
import { STEPS } from './steps/table.mjs'

const FEWEST_STEPS = 400

/** Each side has a store of its own, so that nothing of one is there when the other begins. */
async function withSides(cache, work) {
  const folder = mkdtempSync(join(cache, 'differential-'))
  const stops = []
  const startMinio = async (name) => {
    mkdirSync(join(folder, name))
    const store = await minio.start({ folder: join(folder, name) }, minio.install({ cache }))
    stops.push(store.stop)
    return { ...minio, ...store }
  }
  const gatewayOver = async (store) => {
    const gateway = await startGateway(cache, store)
    stops.push(gateway.stop)
    return gateway
  }
  try {
    const bare = await startMinio('bare')
    const over = await gatewayOver(await startMinio('over'))
    const alone = await gatewayOver({ ...embedded, ...embedded.start() })
    return await work({ bare, over, alone })
  } finally {
    for (const stop of stops.reverse()) await stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

export async function differential({ cache, check }) {
  const used = new Set()
  const lines = []
  await check(`${STEPS.length} requests against MinIO and two gateways`, () => {
    const names = new Set(STEPS.map(({ name }) => name))
    if (names.size < FEWEST_STEPS || names.size !== STEPS.length)
      throw new Error(`${STEPS.length} steps with ${names.size} names`)
  })
  await withSides(cache, async ({ bare, over, alone }) => {
    const reference = await play(STEPS, bare)
    for (const [where, gateway, opaque] of [
      ['over MinIO', over, true],
      ['embedded', alone, false],
    ]) {
      await check(`every difference of the gateway ${where} is explained`, async () => {
        const answers = await play(STEPS, gateway)
        return judge({ where, opaque, reference, answers, used, lines })
      })
    }
  })
  await check('every explanation still happens', () => {
    const idle = EXPLAINED.filter((row) => !used.has(row))
    if (idle.length > 0) throw new Error(idle.map((row) => JSON.stringify(row)).join('\n'))
  })
  const report = join(cache, 'differential.txt')
  writeFileSync(report, `${lines.join('\n')}\n`)
  console.log(`all differences: ${report}`)
}

/** Prints the differences of one gateway; throws if one of them is not explained. */
function judge({ where, opaque, reference, answers, used, lines }) {
  const unexplained = []
  let count = 0
  for (const [step, answer] of answers) {
    for (const { what, theirs, ours } of differences(reference.get(step), answer, opaque)) {
      count += 1
      const row = explanationOf({ where, step, what, theirs, ours })
      const line = `${where} | ${step} | ${what} | ${theirs ?? 'nothing'} -> ${ours ?? 'nothing'}`
      lines.push(`${row === undefined ? 'NOT EXPLAINED ' : ''}${line}${row === undefined ? '' : ` (${row.why})`}`)
      if (row === undefined) unexplained.push(line)
      else used.add(row)
    }
  }
  if (unexplained.length > 0)
    throw new Error(`${unexplained.length} of ${count} differences are not explained:\n${unexplained.join('\n')}`)
  return `${count} differences, all explained`
}
