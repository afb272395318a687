import { passage, type RequestEvent } from './channels.ts'

/** Waits for all who hold the request. Throws what the first of them fails with. `request`: what has come of it; absent where nothing has been done yet. */
export async function pass(request?: RequestEvent): Promise<void> {
  const holds: Promise<void>[] = []
  passage.publish({ ...(request === undefined ? {} : { request }), holdFor: (work) => void holds.push(work) })
  if (holds.length > 0) await Promise.all(holds)
}
