/** The files of the audit log: what is written, and what is found of every change to them. */
import { appendFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hashOf } from '../../src/telemetry/audit-log/chain-file.ts'
import { faultsOf, linkOf } from '../../src/telemetry/audit-log/chain-faults.ts'
import { verifyFiles } from '../../src/telemetry/audit-log/verify.ts'
import { AuditFolder, FullableDisk } from '../helpers/audit-chain.ts'

let folder: AuditFolder
beforeEach(() => {
  folder = new AuditFolder()
})
afterEach(() => folder.remove())

const record = (n: number): string => `"at":"2019-02-06T00:00:38.123Z","kind":"request","what":"${n}"`

/** Files of so many lines each, besides those that begin and end them. */
async function write(...counts: readonly number[]): Promise<void> {
  for (const count of counts) {
    const writer = folder.writer()
    await writer.start()
    for (let n = 1; n <= count; n += 1) void writer.append(record(n))
    await writer.close()
  }
}

/** Place and kind of each fault, by file. */
async function found(files = folder.files()): Promise<string[]> {
  const verified = await verifyFiles(files)
  return verified.flatMap(({ path, faults }) =>
    faults.map(({ line, what }) => `${Number(/(\d+)\.jsonl$/.exec(basename(path))?.[1])}:${line} ${what}`),
  )
}

function edit(at: number, change: (lines: string[]) => string[]): void {
  const path = folder.files()[at]!
  writeFileSync(
    path,
    change(readFileSync(path, 'utf8').split('\n').slice(0, -1))
      .map((line) => `${line}\n`)
      .join(''),
  )
}

describe('a chain', () => {
  test('has in each line the hash of the one before, and in each file that of the file before', async () => {
    await write(2, 1)
    const [first, second] = [folder.lines(0), folder.lines(1)]
    const texts = [...folder.texts(0), ...folder.texts(1)]
    const all = [...first, ...second]
    expect(all.map(({ prev }) => prev)).toEqual(['0'.repeat(64), ...texts.slice(0, -1).map(hashOf)])
    expect(first.map(({ n, kind }) => [n, kind])).toEqual([
      [1, 'begin'],
      [2, 'request'],
      [3, 'request'],
      [4, 'end'],
    ])
    expect(second[0]).toMatchObject({ n: 1, before: [{ file: 'audit-host-0-000001.jsonl', lines: 4 }] })
    expect(await found()).toEqual([])
    const verified = await verifyFiles(folder.files(), hashOf(texts[2]!))
    expect(verified.map(({ lines, state, hasHead }) => [lines, state, hasHead])).toEqual([
      [4, 'ended', true],
      [3, 'ended', false],
    ])
    expect(verified[0]?.head).toBe(hashOf(folder.texts(0).at(-1)!))
  })

  test('goes on in the next file when one is full', async () => {
    const writer = folder.writer({ rotateAt: 2_000 })
    await writer.start()
    for (let n = 0; n < 40; n += 1) await writer.append(record(n))
    await writer.close()
    expect(folder.files().length).toBeGreaterThan(3)
    expect(folder.lines(0).at(-1)).toMatchObject({ kind: 'end', why: 'rotated' })
    expect(
      folder
        .files()
        .flatMap((_, at) => folder.lines(at))
        .filter(({ kind }) => kind === 'request'),
    ).toHaveLength(40)
    expect(await found()).toEqual([])
  })

  test('of another process in the same folder is another', async () => {
    await write(1)
    const writer = folder.writer({ chain: 'host-1' })
    await writer.start()
    await writer.close()
    expect(folder.files().map((path) => basename(path))).toEqual([
      'audit-host-0-000001.jsonl',
      'audit-host-1-000001.jsonl',
    ])
    expect(await found()).toEqual([])
  })
})

describe('what a crash left', () => {
  test('is told by the next file, and no fault then', async () => {
    await write(3)
    truncateSync(folder.files()[0]!, readFileSync(folder.files()[0]!).length - 20)
    expect(await found()).toEqual(['1:5 cut off'])
    await write(1)
    expect(folder.lines(1)[0]).toMatchObject({ before: [{ lines: 4, torn: expect.any(Number) }] })
    expect(await found()).toEqual([])
    const [torn] = await verifyFiles(folder.files())
    expect(torn?.notes).toEqual(['its process ended in the middle of line 5, as audit-host-0-000002.jsonl tells'])
  })

  test('may be a file without a line: the chain goes on from the one before', async () => {
    await write(3)
    writeFileSync(join(folder.path, 'audit-host-0-000002.jsonl'), '{"n":1,"pr')
    await write(1)
    expect(folder.lines(2)[0]).toMatchObject({
      prev: hashOf(folder.texts(0).at(-1)!),
      before: [
        { file: 'audit-host-0-000002.jsonl', lines: 0, torn: 10 },
        { file: 'audit-host-0-000001.jsonl', lines: 5 },
      ],
    })
    edit(0, (lines) => lines.slice(0, -1))
    expect(await found([folder.files()[0]!, folder.files()[2]!])).toContain('1:5 cut off')
  })

  test('may end in a line longer than is read at once', async () => {
    const writer = folder.writer()
    await writer.start()
    await writer.append(`"at":"2019-02-06T00:00:38.123Z","kind":"request","key":"${'k'.repeat(200_000)}"`)
    await writer.close()
    appendFileSync(folder.files()[0]!, 'x'.repeat(100_000))
    await write(1)
    expect(folder.lines(1)[0]).toMatchObject({ before: [{ lines: 3, torn: 100_000 }] })
  })
})

describe('a change is found where it is:', () => {
  beforeEach(() => write(8, 2, 2))

  test('a line that was changed', async () => {
    edit(0, (lines) => lines.with(3, lines[3]!.replace('"what":"3"', '"what":"9"')))
    expect(await found()).toEqual(['1:4 changed'])
  })

  test('a line that is none any more', async () => {
    edit(0, (lines) => lines.with(3, 'rubbish'))
    expect(await found()).toEqual(['1:4 changed'])
  })

  test('a line with another number', async () => {
    edit(0, (lines) => lines.with(3, lines[3]!.replace('{"n":4,', '{"n":7,')))
    expect(await found()).toEqual(['1:4 changed'])
  })

  test('the last line of a file, which the next one stands on', async () => {
    edit(0, (lines) => lines.with(9, lines.at(-1)!.replace('stopped', 'rotated')))
    expect(await found()).toEqual(['1:10 changed'])
  })

  test('one line that was removed, and several', async () => {
    edit(0, (lines) => lines.toSpliced(3, 1))
    edit(1, (lines) => lines.toSpliced(1, 2))
    expect(await found()).toEqual(['1:4 removed', '2:2 removed'])
    const [first, second] = await verifyFiles(folder.files())
    expect(first?.faults[0]?.text).toBe('line 4 was removed before what is line 4 now')
    expect(second?.faults[0]?.text).toBe('lines 2 to 3 were removed before what is line 2 now')
  })

  test('the first line', async () => {
    edit(1, (lines) => lines.slice(1))
    expect(await found()).toContain('2:1 removed')
  })

  test('lines that were cut off the end', async () => {
    edit(0, (lines) => lines.slice(0, -2))
    const [first] = await verifyFiles(folder.files())
    expect(first?.faults.map(({ text }) => text)).toEqual([
      'lines 9 to 10 were cut off: audit-host-0-000002.jsonl names 10 lines',
    ])
  })

  test('a line that was inserted: another, one that is there, and one that claims a number', async () => {
    edit(0, (lines) => lines.toSpliced(3, 0, 'rubbish'))
    edit(1, (lines) => lines.toSpliced(3, 0, lines[1]!))
    edit(2, (lines) => lines.toSpliced(1, 0, `{"n":2,"prev":"${'1'.repeat(64)}",${record(9)}}`))
    expect(await found()).toEqual(['1:4 inserted', '2:4 inserted', '3:2 inserted'])
  })

  test('lines behind the end', async () => {
    edit(0, (lines) => [...lines, `{"n":11,"prev":"${hashOf(lines.at(-1)!)}",${record(9)}}`])
    expect(await found()).toEqual(['1:11 inserted'])
  })

  test('lines that were moved', async () => {
    edit(0, (lines) => lines.with(3, lines[4]!).with(4, lines[3]!))
    expect(await found()).toEqual(['1:4 moved'])
    edit(1, (lines) => [lines[0]!, lines[3]!, lines[1]!, lines[2]!])
    expect(await found()).toEqual(['1:4 moved', '2:2 moved'])
  })

  test('a file that is missing, or has another name', async () => {
    const [first, second, third] = folder.files()
    expect(await found([first!, third!])).toEqual(['3:1 removed'])
    expect(await found([second!, third!])).toEqual([])
    renameSync(second!, join(dirname(second!), 'audit-host-0-000007.jsonl'))
    expect(await found()).toContain('7:1 moved')
    rmSync(first!)
    expect((await found()).length).toBeGreaterThan(0)
  })

  test('a byte anywhere', async () => {
    const path = folder.files()[1]!
    const bytes = readFileSync(path)
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at]! + by) % 256
        writeFileSync(path, changed)
        expect(await found()).not.toEqual([])
      }),
    )
  })
})

test('a change to any one line of many is told at that line, or at the next to it', () => {
  const lines: string[] = []
  let prev = '0'.repeat(64)
  for (let n = 1; n <= 30; n += 1) {
    lines.push(`{"n":${n},"prev":"${prev}",${record(n)}}`)
    prev = hashOf(lines.at(-1)!)
  }
  const faults = (changed: readonly string[]): number[] =>
    faultsOf(changed.map(linkOf), '0'.repeat(64)).map(({ line }) => line)
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 27 }),
      fc.integer({ min: 1, max: 27 }),
      fc.constantFrom('remove', 'repeat', 'move'),
      (at, to, how) => {
        const taken = lines.toSpliced(at, 1)
        if (how === 'remove') expect(faults(taken)).toEqual([at + 1])
        if (how === 'repeat') expect(faults(lines.toSpliced(to, 0, lines[at]!))).toHaveLength(1)
        if (how === 'move' && at !== to) {
          const [place = 0, ...others] = faults(taken.toSpliced(to, 0, lines[at]!))
          expect(others).toEqual([])
          // Of two lines that changed places either is the one that was moved.
          expect(Math.abs(place - (to + 1))).toBeLessThanOrEqual(Math.abs(at - to) === 1 ? 1 : 0)
        }
      },
    ),
    { numRuns: 500 },
  )
})

describe('a full disk', () => {
  test.each([
    ['fails at once', {}],
    ['takes half a batch', { half: true }],
    ['takes half a batch and lets nothing be cut', { half: true, stuck: true }],
  ] as const)('that %s: who waits is told, and the chain says later how many lines it lacks', async (_, how) => {
    const disk = new FullableDisk()
    const writer = folder.writer({ open: disk.open })
    await writer.start()
    await writer.append(record(1))
    Object.assign(disk, how, { full: true })
    await expect(writer.append(record(2))).rejects.toThrow('the audit log cannot be written')
    await expect(writer.append(record(3))).rejects.toThrow('the audit log cannot be written')
    expect(writer.failing).toBe(true)
    disk.full = false
    await expect.poll(() => writer.failing, { timeout: 5_000 }).toBe(false)
    await writer.append(record(4))
    await writer.close()
    const kinds = folder
      .files()
      .flatMap((_path, at) => folder.texts(at))
      .flatMap((line) => /"kind":"(gap","lost":\d+|\w+)/.exec(line)?.[1] ?? [])
    expect(kinds.filter((kind) => !/begin|end/.test(kind))).toEqual(['request', 'gap","lost":2', 'request'])
    expect(folder.lost).toEqual([1, 1])
    expect(folder.trouble).toHaveLength(1)
    expect(await found()).toEqual([])
  })

  test('without anybody who waits: the lines wait for it', async () => {
    const disk = new FullableDisk()
    const writer = folder.writer({ open: disk.open, strict: false })
    await writer.start()
    disk.full = true
    void writer.append(record(1))
    await expect.poll(() => writer.failing).toBe(true)
    void writer.append(record(2))
    disk.full = false
    await expect.poll(() => folder.texts().length, { timeout: 5_000 }).toBe(3)
    await writer.close()
    expect(folder.lost).toEqual([])
    expect(await found()).toEqual([])
  })

  test('that stays full: what has no room any more is counted', async () => {
    const disk = new FullableDisk()
    const writer = folder.writer({ open: disk.open, strict: false })
    await writer.start()
    disk.full = true
    const long = `${record(1)},"key":"${'k'.repeat(4_000_000)}"`
    for (let n = 0; n < 8; n += 1) void writer.append(long)
    expect(folder.lost).toEqual([1, 1, 1])
    await writer.close()
    expect(folder.lost).toEqual([1, 1, 1, 5])
  })
})
