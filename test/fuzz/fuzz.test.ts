// A hundred thousand odd inputs, the same in every run; `npm run fuzz` has ten million others.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fuzz } from './engine.ts'
import { TARGETS } from './targets/table.ts'

const CASES = 100_000
const SEED = 20_240_229
/** Parts of what is fuzzed as a whole. */
const INSIDE_OTHERS = new Set([
  'parseAmzDate',
  'parseCredential',
  'parseHttpDate',
  'parsePartNumber',
  'parseSignedHeaders',
])

it('the shares of the targets add up to a hundred', () => {
  expect(TARGETS.reduce((sum, { share }) => sum + share, 0)).toBe(100)
})

const textOf = (folder: string): string =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')

it('every parser of requests is fuzzed, by itself or by one that calls it', () => {
  const parsers = [...textOf('src/s3').matchAll(/^export (?:const|function) (parse\w+)/gm)].map(
    (match) => match[1] ?? '',
  )
  const targets = textOf('test/fuzz/targets')
  expect(parsers.length).toBeGreaterThan(20)
  expect(parsers.filter((name) => !targets.includes(name) && !INSIDE_OTHERS.has(name))).toEqual([])
})

it.each(TARGETS)(
  '$name: nothing crashes, hangs or blames us',
  async (target) => {
    expect(await fuzz(target, (CASES * target.share) / 100, SEED)).toBeUndefined()
  },
  120_000,
)
