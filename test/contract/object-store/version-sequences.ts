// Random sequences of changes of versions, compared with a plain model.
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { ListVersionsOptions } from '../../../src/backends/object-store.ts'
import { type Bench, bodyOf, collect, putOptions } from './bench.ts'
import { versionBench } from './version-bench.ts'
import { keyModel, type VersionModel } from './version-model.ts'

export function versionSequencesContract(bench: Bench): void {
  const { store, enable, suspend, skip } = versionBench(bench)

  describe('any sequence of changes', () => {
    beforeEach(skip)

    test('gives what a plain model gives, version by version and page by page', { timeout: 120_000 }, async () => {
      let runs = 0
      const keys = ['a', 'a', 'a', 'a/b', 'a/c', 'a\0']
      const change = fc.oneof(
        { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), key: fc.constantFrom(...keys) }) },
        { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), key: fc.constantFrom(...keys) }) },
        {
          weight: 4,
          arbitrary: fc.record({ do: fc.constant('remove' as const), key: fc.constantFrom(...keys), nth: fc.nat(20) }),
        },
        { weight: 1, arbitrary: fc.constant({ do: 'enable' as const }) },
        { weight: 1, arbitrary: fc.constant({ do: 'suspend' as const }) },
        { weight: 1, arbitrary: fc.constant({ do: 'enable' as const }) },
      )
      const paging = fc.record({
        limit: fc.constantFrom(1, 1, 2, 3, 5),
        prefix: fc.constantFrom('', 'a', 'a/'),
        delimiter: fc.constantFrom(undefined, '/'),
      })
      const property = fc.asyncProperty(
        fc.array(change, { minLength: 5, maxLength: 40, size: 'max' }),
        paging,
        async (changes, how) => {
          const bucket = `${bench.bucket}-${(runs += 1)}`
          await store().createBucket(bucket)
          const model = keyModel()
          for (const [n, one] of changes.entries()) await play(model, bucket, one, String(n))
          await compare(model, bucket, how)
        },
      )
      await fc.assert(property, { numRuns: 80, seed: 5 })
    })

    type Change =
      | { readonly do: 'put' | 'delete'; readonly key: string }
      | { readonly do: 'remove'; readonly key: string; readonly nth: number }
      | { readonly do: 'enable' | 'suspend' }

    async function play(model: VersionModel, bucket: string, change: Change, content: string): Promise<void> {
      if (change.do === 'enable' || change.do === 'suspend') {
        await (change.do === 'enable' ? enable(bucket) : suspend(bucket))
        model.switchTo(change.do === 'enable' ? 'Enabled' : 'Suspended')
      } else if (change.do === 'put') {
        const { versionId } = await store().put(bucket, change.key, bodyOf(content), putOptions())
        model.put(change.key, versionId ?? 'null', content)
      } else if (change.do === 'delete') {
        const { attributes } = await store().delete(bucket, change.key)
        model.delete(change.key, attributes?.['x-amz-version-id'])
      } else if (change.do === 'remove') {
        const known = model.of(change.key)
        const versionId = known.length === 0 ? 'null' : known[change.nth % known.length]?.id
        await store().delete(bucket, change.key, versionId === undefined ? {} : { versionId })
        model.remove(change.key, versionId ?? 'null')
      }
    }

    async function compare(
      model: VersionModel,
      bucket: string,
      { limit, prefix, delimiter }: { limit: number; prefix: string; delimiter: string | undefined },
    ): Promise<void> {
      const expected = model.entries(prefix, delimiter)
      const found: unknown[] = []
      let after: Partial<ListVersionsOptions> = {}
      for (let more = true; more; ) {
        const asked = { prefix, limit, ...(delimiter === undefined ? {} : { delimiter }), ...after }
        const next = await store().listVersions?.(bucket, asked)
        if (next === undefined) throw new Error('no page')
        const entries = [
          ...next.versions.map((version) => ({
            name: version.key,
            id: version.versionId,
            latest: version.latest,
            marker: version.deleteMarker,
          })),
          ...next.commonPrefixes.map((name) => ({ name, prefix: true })),
        ].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
        expect(entries.length).toBe(next.truncated ? limit : entries.length)
        found.push(...entries)
        const last = entries.at(-1)
        more = next.truncated && last !== undefined
        if (last === undefined) break
        after =
          'id' in last ? { afterKey: last.name, afterVersionId: last.id } : { afterKey: last.name, afterPrefix: true }
      }
      expect(found).toEqual(expected)
      for (const { key, id, content } of model.readable()) {
        const { body } = await store().get(bucket, key, { versionId: id })
        expect((await collect(body)).toString()).toBe(content)
      }
      for (const [key, content] of model.current()) {
        const got = await store()
          .get(bucket, key)
          .then(({ body }) => collect(body))
          .catch(() => undefined)
        expect(got?.toString()).toBe(content)
      }
    }
  })
}
