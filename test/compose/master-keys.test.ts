import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { random } from '../../src/compose.ts'
import { openMasterKeys, readPassphraseFile, withPassphrase } from '../../src/compose/master-keys.ts'
import { createMasterKeysFile } from '../../src/keys/master-keys.ts'
import type { SecretBytes } from '../../src/secret-bytes.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealgate-passphrase-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

test.each([
  ['a line end', 'correct horse battery\n', 'correct horse battery'],
  ['one of another system', 'correct horse battery\r\n', 'correct horse battery'],
  ['two', 'correct horse battery\n\n', 'correct horse battery\n'],
  ['none', 'correct horse battery', 'correct horse battery'],
  ['nothing else', '\n', ''],
  ['more than one block', 'x'.repeat(20_000), 'x'.repeat(20_000)],
])('a passphrase comes from its file less one line end: %s', async (_, content, expected) => {
  expect((await readPassphraseFile('it', file('p', content))).toString()).toBe(expected)
})

test('what is no text is read as it was before passphrases were bytes', async () => {
  const path = file('latin1', Buffer.from('caf\xe9 au lait, s\xbfil vous plait\n', 'latin1'))
  const before = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  expect((await readPassphraseFile('it', path)).toString()).toBe(before)
})

test('a passphrase that is too short or missing is refused by the name of its setting', async () => {
  const use = (passphraseFile: string) => withPassphrase('main', { passphraseFile }, async () => undefined)
  await expect(use(file('short', '12345678901'))).rejects.toThrow(
    'keys.managers.main.passphraseFile: use at least 12 characters',
  )
  await expect(use(join(folder, 'nowhere'))).rejects.toThrow('keys.managers.main.passphraseFile cannot be read')
})

test('a passphrase from a file ends when it was used', async () => {
  let seen: SecretBytes | string | undefined
  await withPassphrase('main', { passphraseFile: file('p', 'correct horse battery') }, async (given) => {
    seen = given
    expect(given).toHaveLength(21)
  })
  expect(seen).toHaveLength(0)
})

test('the content of a master keys file may lie in another file', async () => {
  const path = join(folder, 'keys.json')
  await createMasterKeysFile(path, { random, now: 0 })
  const kept = await openMasterKeys('main', { type: 'local', file: path })
  const named = await openMasterKeys('main', { type: 'local', keysFile: path })
  const given = await openMasterKeys('main', { type: 'local', keys: readFileSync(path, 'utf8') })
  expect(named.active.key.equals(kept.active.key)).toBe(true)
  expect(given.active.key.equals(kept.active.key)).toBe(true)
})
