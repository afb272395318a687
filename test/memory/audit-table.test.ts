// docs/threat-model.md has a table of every buffer that holds a key. A file that makes one is named there, and nothing else is.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { SOURCES } from '../helpers/sources.ts'

const FILES = [...SOURCES.keys()]
const MAKERS = /\b(?:takeSecret|takeShortSecret|takeCopy|ownCopy|ownMemory|readSecretFile|expand|extract|scrypt)\(/
/** The maker of all of them has no key of its own. */
const TOOL = 'secret-bytes.ts'

const section = readFileSync(fileURLToPath(new URL('../../docs/threat-model.md', import.meta.url)), 'utf8')
  .split('\n## ')
  .find((text) => text.startsWith('Keys in memory\n'))
const named = [...new Set([...(section ?? '').matchAll(/`([\w/-]+\.ts)`/g)].map(([, file]) => file!))]

test('every file that makes a buffer for a key is in the table', () => {
  const makers = FILES.filter((file) => file !== TOOL && MAKERS.test(SOURCES.get(file) ?? ''))
  expect(makers.length).toBeGreaterThan(10)
  expect(makers.filter((file) => !named.includes(file))).toEqual([])
})

test('every file in the table is there', () => {
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((file) => !SOURCES.has(file))).toEqual([])
})

test('no key is made of memory that V8 moves, or that small buffers share', () => {
  const made = /Buffer\.(?:alloc|allocUnsafe|allocUnsafeSlow)\((?:KEY_BYTES|32)\b/
  const careless = FILES.filter((file) => !file.startsWith('backends/') && made.test(SOURCES.get(file) ?? ''))
  // A commitment of nothing, and proofs of a server and a token with zeros.
  expect(careless.sort()).toEqual(['format/metadata.ts', 'keys/kmip.ts', 'keys/pkcs11/token.ts'])
})
