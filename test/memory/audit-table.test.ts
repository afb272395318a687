// docs/threat-model.md has a table of every buffer that holds a key. A file that makes one is named there, and nothing else is.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MAKERS = /\b(?:takeSecret|takeShortSecret|takeCopy|ownCopy|ownMemory|readSecretFile|expand|extract|scrypt)\(/
/** The maker of all of them has no key of its own. */
const TOOL = 'secret-bytes.ts'

const section = readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8')
  .split('\n## ')
  .find((text) => text.startsWith('Keys in memory\n'))
const named = [...new Set([...(section ?? '').matchAll(/`([\w/-]+\.ts)`/g)].map(([, file]) => file!))]

test('every file that makes a buffer for a key is in the table', () => {
  const makers = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== TOOL)
    .filter((file) => MAKERS.test(readFileSync(join(ROOT, 'src', file), 'utf8')))
  expect(makers.length).toBeGreaterThan(10)
  expect(makers.filter((file) => !named.includes(file))).toEqual([])
})

test('every file in the table is there', () => {
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((file) => !existsSync(join(ROOT, 'src', file)))).toEqual([])
})

test('no key is made of memory that V8 moves, or that small buffers share', () => {
  const careless = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('backends/'))
    .filter((file) =>
      /Buffer\.(?:alloc|allocUnsafe|allocUnsafeSlow)\((?:KEY_BYTES|32)\b/.test(
        readFileSync(join(ROOT, 'src', file), 'utf8'),
      ),
    )
  // A commitment of nothing, and proofs of a server and a token with zeros.
  expect(careless.sort()).toEqual(['format/metadata.ts', 'keys/kmip.ts', 'keys/pkcs11/token.ts'])
})
