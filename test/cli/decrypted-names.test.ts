/** Keys as paths of files: none leads out of its folder, and no two are the same file. */
import { posix, win32 } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Names, pathOfKey } from '../../src/cli/decrypt-bucket/file-names.ts'

const piece = fc.oneof(
  fc.constantFrom(
    '/',
    '//',
    '..',
    '.',
    '\\',
    '%',
    '%2e',
    '\0',
    '\n',
    'a',
    'A',
    'é',
    'e\u0301',
    'nul',
    'CON.',
    ' ',
    ':',
  ),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
)
const keys = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''))
const kinds = fc.constantFrom<Names>('exact', 'folded')

describe('the path of a key', () => {
  test('stays below the folder', () => {
    fc.assert(
      fc.property(keys, kinds, (key, names) => {
        const path = pathOfKey(key, names)
        // Windows folds names: nothing else is asked for there.
        for (const { join, isAbsolute, sep } of names === 'folded' ? [posix, win32] : [posix]) {
          expect(isAbsolute(path)).toBe(false)
          expect(join('folder', path).split(sep)).toEqual(['folder', ...path.split('/')])
        }
        // oxlint-disable-next-line no-control-regex -- they are what must not be there
        expect(path).not.toMatch(/[\u0000-\u001f\u007f-\u009f\\]/)
      }),
    )
  })

  test('is of that key alone, also where a file system folds names', () => {
    const folded = (path: string): string => path.normalize('NFD').toLowerCase()
    fc.assert(
      fc.property(keys, keys, kinds, (one, other, names) => {
        fc.pre(one !== other)
        const paths = [pathOfKey(one, names), pathOfKey(other, names)]
        expect(paths[0]).not.toBe(paths[1])
        if (names === 'folded') expect(folded(paths[0] ?? '')).not.toBe(folded(paths[1] ?? ''))
      }),
    )
  })

  test.each<[string, Names, string]>([
    ['2026/11/monday.tar', 'exact', '2026/11/monday.tar'],
    ['Größe 100%.txt', 'exact', 'Größe 100%25.txt'],
    ['../../etc/passwd', 'exact', '%2e%2e/%2e%2e/etc/passwd'],
    ['/etc//passwd/', 'exact', '%/etc/%/passwd/%'],
    ['a\\b\0c', 'exact', 'a%5cb%00c'],
    ['...', 'exact', '...'],
    ['Größe', 'folded', '%47r%c3%b6%c3%9fe'],
    ['nul.txt/a./con', 'folded', '%6eul.txt/a%2e/%63on'],
  ])('%j, %s: %s', (key, names, path) => {
    expect(pathOfKey(key, names)).toBe(path)
  })
})
