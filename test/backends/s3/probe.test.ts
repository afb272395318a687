import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../src/backends/memory.ts'
import { type ObjectStore, StoreError } from '../../../src/backends/object-store.ts'
import { corrected, PROBED_ABILITIES, type ProbedAbility, probe } from '../../../src/backends/s3/probe.ts'
import { type Profile, PROFILES } from '../../../src/backends/s3/profiles.ts'
import { SUBRESOURCES } from '../../../src/backends/s3/subresources.ts'
import { Denied, Invalid, Unavailable } from '../../../src/errors.ts'
import { careless, type Carelessness } from '../../helpers/careless-store.ts'

async function tried(about: readonly Carelessness[], refuse?: () => Error) {
  const inner = new MemoryStore()
  await inner.createBucket('b')
  const findings = await probe(careless(inner, about, refuse), 'b', 'probe/')
  const found = Object.fromEntries(findings.map(({ ability, found }) => [ability, found]))
  return { findings, found, inner }
}
const all = (found: string) => Object.fromEntries(PROBED_ABILITIES.map((ability) => [ability, found]))

async function expectNothingLeft(store: ObjectStore): Promise<void> {
  const { objects } = await store.list('b', { prefix: '', limit: 1_000 })
  const { uploads } = await store.listUploads('b', { prefix: '', limit: 1_000 })
  expect([objects.map(({ key }) => key), uploads]).toEqual([[], []])
}

const ABOUT: readonly (readonly [Carelessness, ProbedAbility])[] = [
  ['put If-None-Match', 'conditionalPut'],
  ['put If-Match', 'conditionalPut'],
  ['put race', 'conditionalPut'],
  ['complete If-None-Match', 'conditionalComplete'],
  ['complete If-Match', 'conditionalComplete'],
  ['copy If-None-Match', 'conditionalCopy'],
  ['copy If-Match', 'conditionalCopy'],
  ['delete', 'conditionalDelete'],
  ['copy source', 'copySourceIfMatch'],
]

test('a store that keeps all conditions is found to, and is left as it was', async () => {
  const { found, inner } = await tried([])
  expect(found).toEqual(all('yes'))
  await expectNothingLeft(inner)
})

describe.each(ABOUT)('a store that is careless about %s', (about, ability) => {
  test('is found out, and left as it was', async () => {
    const { found, inner } = await tried([about])
    expect(found).toEqual({ ...all('yes'), [ability]: 'no' })
    await expectNothingLeft(inner)
  })

  test.each<[string, () => Error, string]>([
    ['as not implemented', () => new StoreError('not-supported', 'no'), 'no'],
    ['as a bad request', () => new Invalid('no'), 'no'],
    ['because it is down', () => new Unavailable('no'), 'unknown'],
    ['because we may not', () => new Denied('no'), 'unknown'],
  ])('and says so, %s', async (_how, refuse, expected) => {
    if (about === 'copy source') return
    const { findings, found, inner } = await tried([about], refuse)
    expect(found[ability]).toBe(expected)
    const { failed } = findings.find((one) => one.ability === ability) ?? {}
    expect(failed).toBe(refuse() instanceof Unavailable ? true : undefined)
    await expectNothingLeft(inner)
  })
})

test('a race whose winner was not heard is no word about conditions', async () => {
  const inner = new MemoryStore()
  await inner.createBucket('b')
  let lost = false
  const put: ObjectStore['put'] = async (bucket, key, body, options) => {
    const written = await inner.put(bucket, key, body, options)
    if (!key.endsWith('race') || lost) return written
    lost = true
    // As a request that is sent again after its answer was lost.
    return inner.put(bucket, key, body, options)
  }
  const losing = new Proxy<ObjectStore>(inner, {
    get: (target, name) => {
      const value: unknown = name === 'put' ? put : Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const [finding] = await probe(losing, 'b', 'probe/', ['conditionalPut'])
  expect(finding).toMatchObject({ ability: 'conditionalPut', found: 'unknown', failed: true })
})

test('only what is asked for is tried', async () => {
  const inner = new MemoryStore()
  await inner.createBucket('b')
  const findings = await probe(inner, 'b', 'probe/', ['slashKeys'])
  expect(findings.map(({ ability }) => ability)).toEqual(['slashKeys'])
})

test('a store that does not answer at all is not tried', async () => {
  const inner = new MemoryStore()
  await expect(probe(inner, 'no-such-bucket', 'probe/')).rejects.toThrow(StoreError)
})

describe('a profile', () => {
  const everything = (found: 'yes' | 'no' | 'unknown') =>
    [...PROBED_ABILITIES, 'versions' as const, ...SUBRESOURCES].map((ability) => ({ ability, found, detail: '' }))
  const abilities = (profile: Profile) => PROBED_ABILITIES.filter((ability) => profile[ability])
  const declared = (known: boolean): Profile => ({ ...PROFILES.generic, known, conditionalCopy: false })
  const DECLARED = PROBED_ABILITIES.filter((ability) => ability !== 'conditionalCopy')

  test.each([[true], [false]])('keeps what was declared and found, and nothing else (known: %s)', (known) => {
    expect(abilities(corrected(declared(known), everything('yes')))).toEqual(DECLARED)
    expect(abilities(corrected(declared(known), everything('no')))).toEqual([])
    const one = everything('yes').map((finding) =>
      finding.ability === 'conditionalPut' ? { ...finding, found: 'no' as const } : finding,
    )
    expect(corrected(declared(known), one)).toEqual({ ...declared(known), conditionalPut: false })
  })

  test('of a provider that is known is believed where nothing could be tried, and another one is not', () => {
    for (const findings of [[], everything('unknown')]) {
      expect(abilities(corrected(declared(true), findings))).toEqual(DECLARED)
      expect(abilities(corrected(declared(false), findings))).toEqual([])
    }
  })
})
