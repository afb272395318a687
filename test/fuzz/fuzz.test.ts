// A hundred thousand odd inputs, the same in every run; `npm run fuzz` has ten million others.
import { expect, it } from 'vitest'
import { fuzz } from './engine.ts'
import { TARGETS } from './targets/table.ts'

const CASES = 100_000
const SEED = 20_240_229

it('the shares of the targets add up to a hundred', () => {
  expect(TARGETS.reduce((sum, { share }) => sum + share, 0)).toBe(100)
})

it.each(TARGETS)('$name: nothing crashes, hangs or blames us', async (target) => {
  expect(await fuzz(target, (CASES * target.share) / 100, SEED)).toBeUndefined()
})
