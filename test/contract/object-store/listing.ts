import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ListOptions } from '../../../src/backends/object-store.ts'
import { type Bench, bodyOf, naivePage, putOptions } from './bench.ts'

export function listingContract(bench: Bench): void {
  describe('list', () => {
    test('pages follow each other without gap or repetition, with and without delimiter', async () => {
      const keys = ['a', 'a/1', 'a/2', 'a0', 'b/', 'b/c/d', 'b/c/e', 'b/d', 'c', 'é/1', '\uffff', '😀']
      for (const key of keys) await bench.put(key, key)
      for (const delimiter of [undefined, '/', '/c']) {
        for (const prefix of ['', 'a', 'b/', 'b/c', 'zz']) {
          for (const limit of [1, 2, 3, 1000]) {
            const seen: string[] = []
            let after: Partial<ListOptions> = {}
            for (let truncated = true; truncated; ) {
              const found = await bench.page({
                prefix,
                limit,
                ...(delimiter === undefined ? {} : { delimiter }),
                ...after,
              })
              const entries = [...found.keys, ...found.commonPrefixes].sort((a, b) =>
                Buffer.compare(Buffer.from(a), Buffer.from(b)),
              )
              seen.push(...entries)
              const last = entries.at(-1)
              truncated = found.truncated
              if (truncated && last !== undefined)
                after = { after: last, afterPrefix: found.commonPrefixes.includes(last) }
            }
            const all = naivePage(keys, { prefix, limit: 1000, ...(delimiter === undefined ? {} : { delimiter }) })
            expect(seen).toEqual(
              [...all.keys, ...all.commonPrefixes].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
            )
          }
        }
      }
    })

    test('any page of any names is what the naive model says', async () => {
      const letter = fc.constantFrom(
        'a',
        'b',
        '/',
        '//',
        '.',
        '\u0000',
        'é',
        '\ue000',
        '\uffff',
        '😀',
        '\u{10000}',
        '~',
      )
      const name = fc.array(letter, { minLength: 1, maxLength: 6 }).map((letters) => letters.join(''))
      const options = fc.record(
        {
          prefix: fc.oneof(fc.constant(''), name),
          delimiter: fc.constantFrom('/', '//', 'a', 'é', '😀', ''),
          after: name,
          afterPrefix: fc.boolean(),
          limit: fc.integer({ min: 1, max: 12 }),
        },
        { requiredKeys: ['prefix', 'limit'] },
      )
      let run = 0
      const check = async (keys: string[], listings: ListOptions[]) => {
        const own = `${bench.bucket}-${run++}`
        await bench.store.createBucket(own)
        await Promise.all(keys.map((key) => bench.store.put(own, key, bodyOf(''), putOptions())))
        for (const listing of listings.filter((one) => !bench.remote || isContinuation(one))) {
          const { objects, commonPrefixes, truncated } = await bench.store.list(own, listing)
          expect({ keys: objects.map(({ key }) => key), commonPrefixes, truncated }).toEqual(naivePage(keys, listing))
        }
      }
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(name, { maxLength: 25 }),
          fc.array(options, { minLength: 1, maxLength: 12 }),
          check,
        ),
        { numRuns: 60 },
      )
    })
  })
}

/** S3 cannot be told to start behind a name that itself looks like a common prefix; no page ends so. */
function isContinuation({ prefix, after, afterPrefix, delimiter }: ListOptions): boolean {
  if (after === undefined || delimiter === undefined || delimiter === '') return true
  const at = after.startsWith(prefix) ? after.indexOf(delimiter, prefix.length) : -1
  return afterPrefix === true ? at >= 0 && at + delimiter.length === after.length : !after.includes(delimiter)
}
