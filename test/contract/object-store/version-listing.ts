// What stores promise of the versions they list, and of those that are locked.
import { beforeEach, describe, expect, test } from 'vitest'
import { type Bench, refusal } from './bench.ts'
import { versionBench } from './version-bench.ts'

const UNTIL = '2099-01-01T00:00:00.000Z'
const retained = (mode: string) => ({ 'x-amz-object-lock-mode': mode, 'x-amz-object-lock-retain-until-date': UNTIL })
const BYPASS = { 'x-amz-bypass-governance-retention': 'true' }

export function lockedVersionsContract(bench: Bench): void {
  const { store, read, remove, versions, idOf, skip } = versionBench(bench)

  describe('Object Lock', () => {
    beforeEach(skip)
    beforeEach(async () => {
      await store().updateBucket?.(bench.bucket, { objectLock: true })
    })

    test('B100 a retained version cannot be deleted; the key can', async () => {
      for (const mode of ['GOVERNANCE', 'COMPLIANCE']) {
        const id = idOf(await bench.put('k', 'x', { attributes: retained(mode) }))
        expect(await refusal(remove('k', id))).toBe('locked')
        await remove('k')
        expect(await refusal(remove('k', id))).toBe('locked')
        expect(await read('k', id)).toBe('x')
      }
    })

    test('GOVERNANCE can be bypassed, COMPLIANCE and a legal hold cannot', async () => {
      const governed = idOf(await bench.put('k', '1', { attributes: retained('GOVERNANCE') }))
      const complied = idOf(await bench.put('k', '2', { attributes: retained('COMPLIANCE') }))
      const held = idOf(await bench.put('k', '3', { attributes: { 'x-amz-object-lock-legal-hold': 'ON' } }))
      const both = { ...retained('GOVERNANCE'), 'x-amz-object-lock-legal-hold': 'ON' }
      const doubly = idOf(await bench.put('k', '4', { attributes: both }))
      await remove('k', governed, BYPASS)
      for (const id of [complied, held, doubly]) expect(await refusal(remove('k', id, BYPASS))).toBe('locked')
      expect((await versions('k')).map(({ versionId }) => versionId)).toEqual([doubly, held, complied])
    })

    test('a lock that has run out, or a hold that was lifted, forbids nothing', async () => {
      const past = {
        'x-amz-object-lock-mode': 'COMPLIANCE',
        'x-amz-object-lock-retain-until-date': '2020-01-01T00:00:00Z',
      }
      const id = idOf(await bench.put('k', 'x', { attributes: past }))
      await remove('k', id)
      const held = idOf(await bench.put('k', 'x', { attributes: { 'x-amz-object-lock-legal-hold': 'ON' } }))
      await store().changeAttributes?.(bench.bucket, 'k', { versionId: held }, () => ({
        'x-amz-object-lock-legal-hold': 'OFF',
      }))
      await remove('k', held)
      expect(await versions('k')).toEqual([])
    })

    test('a date that nobody can read keeps the version', async () => {
      const odd = { 'x-amz-object-lock-mode': 'COMPLIANCE', 'x-amz-object-lock-retain-until-date': 'some day' }
      const id = idOf(await bench.put('k', 'x', { attributes: odd }))
      expect(await refusal(remove('k', id))).toBe('locked')
    })
  })
}

export function versionListingContract(bench: Bench): void {
  const { store, enable, remove, page, brief, answerTo, skip } = versionBench(bench)

  describe('listing versions', () => {
    beforeEach(skip)

    test('B92 pages go on within a key, and after keys that are gone', async () => {
      await enable()
      for (const key of ['a', 'b']) for (let n = 0; n < 3; n += 1) await bench.put(key, String(n))
      const all = (await page()).versions
      const second = await page({ limit: 2, afterKey: 'a', afterVersionId: all[1]?.versionId ?? '' })
      expect(second.versions).toEqual(all.slice(2, 4))
      expect(second.truncated).toBe(true)
      expect((await page({ afterKey: 'a' })).versions).toEqual(all.slice(3))
      expect((await page({ afterKey: 'a0' })).versions).toEqual(all.slice(3))
      await remove('a', all[1]?.versionId)
      const gone = await page({ limit: 2, afterKey: 'a', afterVersionId: all[1]?.versionId ?? '' })
      expect(gone.versions).toEqual(all.slice(2, 4))
      expect(await answerTo(page({ afterKey: 'a', afterVersionId: 'x' }))).toMatchObject({ status: 400 })
    })

    test('what became current since the last page is still listed, and told as such', async () => {
      await enable()
      for (let n = 0; n < 3; n += 1) await bench.put('k', String(n))
      const [newest] = (await page({ limit: 1 })).versions
      await remove('k', newest?.versionId)
      const rest = await page({ afterKey: 'k', afterVersionId: newest?.versionId ?? '' })
      expect(rest.versions.map(brief)).toEqual([['id', 'latest'], ['id']])
      const marker = await bench.store.delete(bench.bucket, 'k')
      await remove('k', rest.versions[0]?.versionId)
      const again = await page({ afterKey: 'k', afterVersionId: marker.attributes?.['x-amz-version-id'] ?? '' })
      expect(again.versions.map(brief)).toEqual([['id']])
    })

    test('a bucket without versions lists its objects as null versions', async () => {
      for (const key of ['a', 'b/1', 'b/2', '\u{10000}', '\uffff']) await bench.put(key, key)
      const { versions: found, commonPrefixes } = await page({ delimiter: '/' })
      expect(found.map(({ key }) => key)).toEqual(['a', '\uffff', '\u{10000}'])
      expect(found.map(brief)).toEqual([
        ['null', 'latest'],
        ['null', 'latest'],
        ['null', 'latest'],
      ])
      expect(commonPrefixes).toEqual(['b/'])
    })

    test('refuses a bucket that is not there', async () => {
      const listed = store().listVersions?.('no-such-bucket', { prefix: '', limit: 1 }) ?? Promise.resolve()
      expect(await refusal(listed)).toBe('no-such-bucket')
    })
  })
}
