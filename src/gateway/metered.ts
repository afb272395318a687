/** What a request costs, added up on its way (`Meter`). */
import type { BucketKey } from '../keys/key-manager.ts'
import { keyWait } from '../telemetry/channels.ts'
import type { Meter } from '../telemetry/meter.ts'

/** A bucket key that something is sealed or opened with. One that is open is there at once. */
export async function keyUsed(meter: Meter, asked: Promise<BucketKey>): Promise<BucketKey> {
  const begun = performance.now()
  let manager: string | undefined
  try {
    const key = await asked
    manager = key.alias
    meter.key = { manager, kid: key.kid.toString('hex') }
    return key
  } finally {
    const milliseconds = performance.now() - begun
    meter.keyMilliseconds += milliseconds
    if (meter.trace?.sampled === true) {
      keyWait.publish({ meter, begun, milliseconds, ...(manager === undefined ? {} : { manager }) })
    }
  }
}
