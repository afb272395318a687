import { describe, expect, it } from 'vitest'
import { globMatches } from '../../src/config/glob.ts'
import { parseDuration, parseSize } from '../../src/config/units.ts'

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ])('%s is %i milliseconds', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  it.each([
    '',
    '30',
    's',
    '1.5h',
    '-1s',
    '01s',
    '1 s',
    ' 1s',
    '1s ',
    '1S',
    '1w',
    '1MiB',
    '1s1s',
    '99999999999d',
    '1s\n',
  ])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })
})

describe('a size', () => {
  it.each([
    ['100B', 100],
    ['512KiB', 524_288],
    ['64MiB', 67_108_864],
    ['5GiB', 5_368_709_120],
    ['1TiB', 1_099_511_627_776],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', '64', '64MB', '64M', '64mib', '1.5GiB', '-1B', '30s', '999999999TiB'])('%j is none', (text) => {
    expect(parseSize(text)).toBeUndefined()
  })
})

describe('a bucket pattern', () => {
  it.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['logs', 'logs', true],
    ['logs', 'logs2', false],
    ['logs-*', 'logs-', true],
    ['logs-*', 'logs', false],
    ['*-logs', 'a-logs', true],
    ['*-logs', 'a-logs-b', false],
    ['a*b', 'ab', true],
    ['a*a', 'a', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['ab*ba', 'aba', false],
    ['*a*a*', 'a', false],
    ['**', 'x', true],
    ['a.c', 'abc', false],
    ['[a]', 'a', false],
    ['a?', 'ab', false],
  ])('%s and %s: %s', (pattern, name, matches) => {
    expect(globMatches(pattern, name)).toBe(matches)
  })

  it('is matched in linear time', () => {
    const name = 'a'.repeat(50_000)
    expect(globMatches(`${'*a'.repeat(60)}*b`, name)).toBe(false)
  })
})
