/**
 * A gateway as `serve` composes it, whose memory somebody else looks through: told on its standard input, it lets time pass or
 * closes, collects garbage, and says `done`. Run with --expose-gc.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { composeS3Server, openComponents } from '../../src/compose.ts'
import { loadSettings } from '../../src/config/load.ts'

const settings = loadSettings({ configPath: process.argv[2]!, env: {}, readFile: (path) => readFileSync(path, 'utf8') })
const components = await openComponents(settings)
const app = composeS3Server(settings, components)
const endpoint = await app.listen({ host: '127.0.0.1', port: 0 })
// What must be found, or the search finds nothing.
const planted = createHash('sha256').update('planted').digest()

async function collect(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.()
    await sleep(50)
  }
}

console.log(`ready at ${endpoint}`)
for await (const told of createInterface({ input: process.stdin })) {
  if (told === 'expire') {
    await sleep(settings.keys.cache.lifetime + 100)
    components.gateway.keys.forgetExpired()
  }
  if (told === 'close') {
    app.server.closeAllConnections()
    await app.close()
    await components.close()
  }
  await collect()
  console.log(`done, ${planted.length} bytes planted`)
}
