/** Collects garbage in this process, and gives what waits for it its turn. */
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    gc()
    await sleep(20)
  }
}
