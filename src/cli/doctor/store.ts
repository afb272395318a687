/** What a remote store can do, tried anew, and what it means where it cannot. */
import type { Examination } from './sample.ts'

/** By what was tried: the consequence of its absence. None is a failure of the gateway, which knows and does without. */
const WITHOUT: Readonly<Record<string, string>> = {
  conditionalPut:
    'a PUT with If-Match or If-None-Match is answered 501, and several replicas cannot keep their state here',
  conditionalComplete: 'a CompleteMultipartUpload with If-Match or If-None-Match is answered 501',
  conditionalCopy: 'copies with a condition on their target, and copies onto themselves, stream through the gateway',
  conditionalDelete: 'a DELETE with If-Match is answered 501',
  copySourceIfMatch: 'every copy streams through the gateway',
  versions: 'a version id other than null is answered 501',
  slashKeys: 'objects whose names end in a slash (directory markers) are answered 501',
}

const without = (ability: string): string => WITHOUT[ability] ?? 'it is not relied on'

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
    if (isSubresource(ability)) continue
    if (found === 'yes') tell({ what: `the store has ${ability}`, state: 'ok', detail })
    else if (found === 'unknown') {
      const then = known ? `the profile ${profile} is believed` : without(ability)
      tell({ what: `the store did not tell whether it has ${ability}`, state: 'note', detail: `${detail}: ${then}` })
    } else tell({ what: `the store lacks ${ability}`, state: 'note', detail: `${detail}: ${without(ability)}` })
  }
  tellSubresources(findings, tell)
  const trailers = components.gateway.store.capabilities.checksumsStreams
  const what = trailers ? 'streamed bodies carry a checksum' : 'streamed bodies go without a checksum'
  const detail = trailers
    ? 'CRC32 of the ciphertext, as a trailer'
    : `profile ${profile}: damage on the way is found when an object is read, and buckets with Object Lock refuse bodies over 1 MiB`
  tell({ what, state: trailers ? 'ok' : 'note', detail })
}

const isSubresource = (ability: string): boolean => ability.includes('?')

/** All of them in two lines: what is handed on, and what is not. */
function tellSubresources(findings: readonly { ability: string; found: string }[], tell: Examination['tell']): void {
  const named = (yes: boolean): string =>
    findings
      .filter(({ ability, found }) => isSubresource(ability) && (found === 'yes') === yes)
      .map(({ ability }) => ability)
      .join(', ')
  const [known, others] = [named(true), named(false)]
  if (known !== '') tell({ what: 'sub-resources that are handed on to the store', state: 'ok', detail: known })
  if (others === '') return
  const detail = `${others}: answered 501, since the store takes them for the bucket or the object itself`
  tell({ what: 'sub-resources that the store ignores', state: 'note', detail })
}
