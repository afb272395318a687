/**
 * The size rules of the format with another D, the least plaintext of a part that is streamed: the very source of
 * `format/sizes.ts` with one number exchanged. What is tested with it does not depend on the number, but every part of 5 MiB
 * would be sealed again for each of thousands of schedules.
 */
import { readFileSync } from 'node:fs'
import { runInThisContext } from 'node:vm'
import { transformSync } from 'esbuild'
import * as errors from '../../src/errors.ts'
import type * as sizes from '../../src/format/sizes.ts'

const SOURCE = new URL('../../src/format/sizes.ts', import.meta.url)
const D = 'MIN_SEGMENT_BYTES = 5_242_880'

/** For `vi.mock` of `format/sizes.ts`. Throws if the source has changed so that the number is not found. */
export function sizesWith(leastBytes: number): typeof sizes {
  const source = readFileSync(SOURCE, 'utf8')
  if (source.split(D).length !== 2) throw new Error(`there is not one "${D}" in format/sizes.ts`)
  const { code } = transformSync(source.replace(D, `MIN_SEGMENT_BYTES = ${leastBytes}`), {
    loader: 'ts',
    format: 'cjs',
  })
  const module = { exports: {} }
  const run = runInThisContext(`(require, module) => {${code}}`) as (require: unknown, module: unknown) => void
  run(() => errors, module)
  return module.exports as typeof sizes
}
