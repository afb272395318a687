/** What a request costs, added up on its way (`Meter`). */
import type { BucketKey } from '../keys/key-manager.ts'
import type { Meter } from '../telemetry/meter.ts'

/** A bucket key that something is sealed or opened with. One that is open is there at once. */
export async function keyUsed(meter: Meter, asked: Promise<BucketKey>): Promise<BucketKey> {
  const begun = performance.now()
  try {
    const key = await asked
    meter.key = { manager: key.alias, kid: key.kid.toString('hex') }
    return key
  } finally {
    meter.keyMilliseconds += performance.now() - begun
  }
}
