/** Listings of 100,000 keys on the embedded store: in order, whole, and never further than the page (S3 behaviour 83 to 91). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import { LocalStore } from '../../src/backends/local.ts'
import { childText, parseXml, type XmlElement } from '../../src/s3/xml.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { send } from '../helpers/signed-request.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealgate-listing-'))
const SIDE_BY_SIDE = 1_000

const number = (n: number): string => String(n).padStart(5, '0')
const range = (count: number, name: (n: number) => string): string[] => Array.from({ length: count }, (_, n) => name(n))

/** 100,000 keys: many folders, one huge one, many side by side, and some beyond the basic plane. */
const KEYS = [
  ...range(40_000, (n) => `flat-${number(n)}`),
  ...range(40_000, (n) => `tree/${number(n % 400)}/${number(n)}`),
  ...range(19_000, (n) => `huge/one/${number(n)}`),
  ...range(500, (n) => `～${number(n)}`),
  ...range(500, (n) => `\u{1f600}${number(n)}`),
].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

let running: TestGateway
/** Rows that ranges of the index gave out. */
let rows = 0
let restore = (): void => undefined

beforeAll(async () => {
  restore = await countRows()
  const store = await LocalStore.open({ folder: join(folder, 'store') })
  running = await startGateway({ store })
  await store.createBucket('large')
  // In no order, as clients write them.
  const shuffled = [...KEYS].sort((a, b) => hash(a) - hash(b))
  const body = Buffer.alloc(336)
  let next = 0
  const write = async (): Promise<void> => {
    for (let i = next++; i < shuffled.length; i = next++) {
      const options = { length: body.length, metadata: {}, commit: async () => ({}) }
      await store.put('large', shuffled[i] ?? '', new HeldBody([body]), options)
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, write))
}, 120_000)
afterAll(async () => {
  restore()
  await running.close()
  await running.store.close()
  rmSync(folder, { recursive: true, force: true })
})

const hash = (text: string): number => {
  let value = 0
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 2_654_435_761) >>> 0
  return value
}

/** Every database of lmdb shares one prototype. */
async function countRows(): Promise<() => void> {
  const root = open({ path: join(folder, 'prototype') })
  const prototype = prototypeWith(Object.getPrototypeOf(root) as object, 'getRange') as { getRange: unknown }
  await root.close()
  const original = prototype.getRange as (options: unknown) => Iterable<unknown>
  prototype.getRange = function counting(this: unknown, options: unknown) {
    const found = original.call(this, options)
    const begin = found[Symbol.iterator].bind(found)
    found[Symbol.iterator] = () => {
      const iterator = begin()
      const step = iterator.next.bind(iterator)
      iterator.next = () => {
        const result = step()
        if (result.done !== true) rows += 1
        return result
      }
      return iterator
    }
    return found
  }
  return () => {
    prototype.getRange = original
  }
}

function prototypeWith(candidate: object, name: string): object {
  return Object.hasOwn(candidate, name) ? candidate : prototypeWith(Object.getPrototypeOf(candidate) as object, name)
}

interface Page {
  readonly names: string[]
  readonly keys: string[]
  readonly prefixes: string[]
  readonly truncated: boolean
  readonly value: (name: string) => string | undefined
  readonly rows: number
}

const all = (element: XmlElement, name: string): XmlElement[] => element.children.filter((one) => one.name === name)

async function list(query: Record<string, string>): Promise<Page> {
  const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  rows = 0
  const answer = await send(running, { method: 'GET', path: `/large?${text.join('&')}` })
  const read = rows
  expect(answer.status).toBe(200)
  const document = parseXml(answer.bytes, 10_000_000)
  const keys = all(document, 'Contents').map((one) => childText(one, 'Key') ?? '')
  const prefixes = all(document, 'CommonPrefixes').map((one) => childText(one, 'Prefix') ?? '')
  return {
    keys,
    prefixes,
    names: [...keys, ...prefixes].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    truncated: childText(document, 'IsTruncated') === 'true',
    value: (name) => childText(document, name),
    rows: read,
  }
}

/** The names that a listing of everything has, by the rules of S3. */
function expected(prefix: string, delimiter: string): string[] {
  const names = new Set<string>()
  for (const key of KEYS) {
    if (!key.startsWith(prefix)) continue
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    names.add(at < 0 ? key : key.slice(0, at + delimiter.length))
  }
  return [...names]
}

/** Pages of a listing to its end, each of which reads one row more than it shows, and where prefixes are jumped over not many more. */
async function toTheEnd(query: Record<string, string>, limit: number): Promise<string[]> {
  const v2 = query['list-type'] === '2'
  const names: string[] = []
  let next: Record<string, string> = {}
  for (;;) {
    const page = await list({ ...query, ...next, 'max-keys': String(limit) })
    expect(page.rows).toBeLessThanOrEqual(page.names.length + 1)
    if (v2) expect(page.value('KeyCount')).toBe(String(page.names.length))
    names.push(...page.names)
    if (!page.truncated) return names
    expect(page.names).toHaveLength(limit)
    const last = page.names.at(-1) ?? ''
    if (!v2) expect(page.value('NextMarker')).toBe(query['delimiter'] === undefined ? undefined : last)
    next = v2 ? { 'continuation-token': page.value('NextContinuationToken') ?? '' } : { marker: last }
  }
}

describe.each(['v1', 'v2'])('%s of 100,000 keys', (version) => {
  const v: Record<string, string> = version === 'v2' ? { 'list-type': '2' } : {}

  test('B83 B86 B87 in pages of 1,000 is every key once, in UTF-8 order', async () => {
    expect(KEYS).toHaveLength(100_000)
    const names = await toTheEnd(v, 1_000)
    expect(names.length).toBe(KEYS.length)
    expect(names.every((name, i) => name === KEYS[i])).toBe(true)
  }, 120_000)

  test.each([
    ['', '/', 1_000],
    ['tree/', '/', 7],
    ['tree/00123/', '/', 30],
    ['huge/', '/', 1],
    ['f', '-', 1],
    ['flat', '-0', 1_000],
    ['～', '9', 100],
    ['\u{1f600}', '00', 1],
    ['none', '/', 10],
  ])(
    'B85 B88 B90 below %j by the delimiter %j in pages of %i',
    async (prefix, delimiter, limit) => {
      expect(await toTheEnd({ ...v, prefix, delimiter }, limit)).toEqual(expected(prefix, delimiter))
    },
    120_000,
  )

  test('B84 a page reads one row more than it shows', async () => {
    for (const [limit, most] of [
      [0, 0],
      [1, 2],
      [10, 11],
      [1_000, 1_001],
      [9_999, 1_001],
    ] as const) {
      const page = await list({ ...v, 'max-keys': String(limit) })
      expect([limit, page.keys.length]).toEqual([limit, Math.min(limit, 1_000)])
      expect(page.rows).toBeLessThanOrEqual(most)
    }
  })

  test('B86 B88 from a name in the midst: one that is there, one that is not, one inside a common prefix', async () => {
    const from = version === 'v2' ? 'start-after' : 'marker'
    const page = (name: string, more: Record<string, string> = {}) =>
      list({ ...v, [from]: name, 'max-keys': '2', ...more })
    expect((await page('flat-20000')).keys).toEqual(['flat-20001', 'flat-20002'])
    expect((await page('flat-20000x')).keys).toEqual(['flat-20001', 'flat-20002'])
    expect((await page('flat-39999')).keys).toEqual(['huge/one/00000', 'huge/one/00001'])
    for (const name of ['huge/', 'huge/one/10000', 'huge/zzz']) {
      const jumped = await page(name, { delimiter: '/' })
      expect([jumped.prefixes, jumped.keys]).toEqual([['tree/'], ['～00000']])
      expect(jumped.rows).toBeLessThanOrEqual(3)
    }
    expect((await page('\u{1f600}99999')).names).toEqual([])
    expect((await page('～00499', { 'max-keys': '1' })).keys).toEqual(['\u{1f600}00000'])
  })

  test('B89 encoded names of a late page lead on as plain ones do', async () => {
    const encoded = await list({ ...v, prefix: '～', 'encoding-type': 'url', 'max-keys': '3', delimiter: '3' })
    expect(encoded.value('Prefix')).toBe('%EF%BD%9E')
    const plain = await list({ ...v, prefix: '～', 'max-keys': '3', delimiter: '3' })
    expect(encoded.names.map(decodeURIComponent)).toEqual(plain.names)
    if (version === 'v1') {
      expect(decodeURIComponent(encoded.value('NextMarker') ?? '')).toBe(plain.value('NextMarker'))
    } else {
      // Tokens are not encoded.
      expect(encoded.value('NextContinuationToken')).toBe(plain.value('NextContinuationToken'))
    }
  })
})
