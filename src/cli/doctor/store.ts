/** What a remote store can do, tried anew, and what it means where it cannot. */
import type { Examination } from './sample.ts'

/** By what was tried: the consequence of its absence. None is a failure of the gateway, which knows and does without. */
const WITHOUT = {
  conditionalPut:
    'a PUT with If-Match or If-None-Match is answered 501, and several replicas cannot keep their state here',
  conditionalComplete: 'a CompleteMultipartUpload with If-Match or If-None-Match is answered 501',
  conditionalCopy: 'copies with a condition on their target, and copies onto themselves, stream through the gateway',
  conditionalDelete: 'a DELETE with If-Match is answered 501',
  copySourceIfMatch: 'every copy streams through the gateway',
  slashKeys: 'objects whose names end in a slash (directory markers) are answered 501',
} as const

export async function examineStore({ components, settings, tell }: Examination): Promise<void> {
  if (components.probeBackend === undefined || settings.backend.type !== 's3') return
  const { endpoint, profile } = settings.backend
  const findings = await components.probeBackend()
  // The one profile that is of no provider.
  const known = profile !== 'generic'
  if (findings === undefined) {
    const then = known ? `the profile ${profile} is believed` : 'nothing is relied on that needs a trial'
    const detail = `no bucket may be made and written to at ${endpoint}: ${then}`
    tell({ what: 'the store could not be tried', state: 'note', detail })
    return
  }
  for (const { ability, found, detail } of findings) {
    if (found === 'yes') tell({ what: `the store has ${ability}`, state: 'ok', detail })
    else if (found === 'unknown') {
      const then = known ? `the profile ${profile} is believed` : WITHOUT[ability]
      tell({ what: `the store did not tell whether it has ${ability}`, state: 'note', detail: `${detail}: ${then}` })
    } else tell({ what: `the store lacks ${ability}`, state: 'note', detail: `${detail}: ${WITHOUT[ability]}` })
  }
  const trailers = components.gateway.store.capabilities.checksumsStreams
  const what = trailers ? 'streamed bodies carry a checksum' : 'streamed bodies go without a checksum'
  const detail = trailers
    ? 'CRC32 of the ciphertext, as a trailer'
    : `profile ${profile}: damage on the way is found when an object is read, and buckets with Object Lock refuse bodies over 1 MiB`
  tell({ what, state: trailers ? 'ok' : 'note', detail })
}
