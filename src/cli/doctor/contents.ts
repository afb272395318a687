/** What is left in plaintext in the buckets that may hold it. */
import type { Examination } from './sample.ts'

/** Objects looked at in each bucket. */
const MOST = 10_000

export async function examineContents({ components, settings, tell, signal }: Examination): Promise<void> {
  const { gateway } = components
  for (const { match, contents } of settings.buckets) {
    if (contents !== 'mixed' || match.includes('*')) continue
    let seen = 0
    let plain = 0
    let first = ''
    let after: string | undefined
    for (;;) {
      signal.throwIfAborted()
      const page = await gateway.store.list(match, {
        prefix: '',
        limit: 1_000,
        ...(after === undefined ? {} : { after }),
      })
      const entries = page.objects.map((one) => ({ ...one, modified: one.lastModified.getTime() }))
      const found = await gateway.plain.arePlain(gateway, match, entries)
      seen += found.length
      plain += found.filter(Boolean).length
      if (first === '') first = entries[found.indexOf(true)]?.key ?? ''
      after = page.objects.at(-1)?.key
      if (!page.truncated || after === undefined || seen >= MOST) break
    }
    const example = first === '' ? '' : `, the first of them ${first}`
    tell({
      what: `contents of ${match} are mixed`,
      state: 'note',
      detail: `${plain} of ${seen} objects lie in plaintext${example}; a removed envelope would look the same`,
    })
  }
}
