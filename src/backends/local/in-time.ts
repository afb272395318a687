/** Telling whether changes of a store still come through. */
import { Unavailable } from '../../errors.ts'

/** A change waits for those of other processes; one that takes so long will not come. */
const PATIENCE_MS = 5_000

/** Throws `Unavailable` for a change of the store in `folder` that takes too long. */
export async function inTime(change: Promise<unknown>, folder: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Unavailable(`no change of the store in ${folder} comes through: is a process that uses it stopped?`))
    }, PATIENCE_MS)
  })
  try {
    await Promise.race([change, late])
  } finally {
    clearTimeout(timer)
  }
}
