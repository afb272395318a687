/** What is left in plaintext in the buckets that may hold it. */
import { bucketsToCount, countIn } from '../../compose/housekeeping.ts'
import type { Examination } from './sample.ts'

export async function examineContents({ components, settings, tell, signal }: Examination): Promise<void> {
  const { gateway } = components
  for (const bucket of await bucketsToCount(gateway, settings)) {
    const { examined, plain, example, whole } = await countIn(gateway, bucket, signal)
    const first = example === undefined ? '' : `, one of them ${example}`
    tell({
      what: `contents of ${bucket} are mixed`,
      state: 'note',
      detail: `${plain} of ${whole ? '' : 'the first '}${examined} objects lie in plaintext${first}; a removed envelope would look the same`,
    })
  }
}
