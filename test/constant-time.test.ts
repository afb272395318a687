// Secrets are compared in constant time: by `sameBytes`, `sameSignature` or `timingSafeEqual`, and by nothing else.
import { expect, test } from 'vitest'
import { earlyComparisons } from './helpers/comparisons.ts'
import { SOURCES } from './helpers/sources.ts'

/** What is no comparison of a secret with what somebody else sent, and why. */
const ALLOWED: Record<string, Record<string, string>> = {
  'gateway/object-metadata.ts': { 'dropped.includes(tlv.tag)': 'the tag of an entry is its number' },
  's3/content-md5.ts': { "digest.toString('base64') === text": 'whether what a client sent is canonical' },
  's3/encryption-headers.ts': { "claimed.toString('base64') !== digest": 'whether what a client sent is canonical' },
  's3/continuation-token.ts': { 'encodeToken(kind, start) === token': 'such a token hides nothing' },
  'backends/s3/credentials.ts': {
    'used?.secret === secretAccessKey': 'both are our own',
    'used?.sessionToken === sessionToken': 'both are our own',
  },
  'compose/azure-key-vault.ts': { 'this.#current?.secret !== secret': 'both are our own' },
  'cli/doctor/proof.ts': { "headers['x-amz-meta-secret'] !== secret": 'a text that the examination made itself' },
  'keys/vault-transit/session.ts': {
    'token === held?.token': 'both are our own',
    'this.#held.token !== refused.token': 'both are our own',
    'token === refused.token': 'both are our own',
    'this.#refused?.digest === digest': 'both are our own',
    'this.#held?.token !== held.token': 'both are our own',
    '(await this.#obtain()).token === held.token': 'both are our own',
  },
}

const FOUND = [...SOURCES].flatMap(([file, text]) => earlyComparisons(file, text).map((one) => ({ file, ...one })))

test('no secret is compared by something that stops at the first difference', () => {
  const faults = FOUND.filter(({ file, text }) => ALLOWED[file]?.[text] === undefined)
  expect(faults.map(({ file, line, text }) => `${file}:${line} ${text}`)).toEqual([])
})

test('every exception is still needed', () => {
  const needed = new Set(FOUND.map(({ file, text }) => `${file} ${text}`))
  const all = Object.entries(ALLOWED).flatMap(([file, texts]) => Object.keys(texts).map((text) => `${file} ${text}`))
  expect(all.filter((one) => !needed.has(one))).toEqual([])
})

test.each([
  'if (signature === computed) go()',
  'if (computed !== given.signature) stop()',
  'return adminToken == header',
  'return header === this.#held?.token',
  'return tag.equals(cipher.getAuthTag())',
  'return expected.equals(macOf(text))',
  'return !kidOf(key).equals(kid)',
  'return Buffer.compare(commitment, other) === 0',
  'return a.compare(digests[0]!) === 0',
  "return createHmac('sha256', key).update(text).digest('hex') === given",
  "return given.toString('hex') === wanted.digest().toString('hex')",
  "return options['password'] === text",
  'return (await passphrase) === text',
  'return header.endsWith(token)',
])('the rule sees %s', (source) => {
  expect(earlyComparisons('planted.ts', source)).toHaveLength(1)
})

test.each([
  'if (signature === undefined) return',
  "if (typeof token === 'string') return",
  'if (digest.length !== 32) return',
  'if (sameBytes(kidOf(key), kid)) return',
  'if (!timingSafeEqual(claimed, digest)) return',
  'if (header.equals(MAGIC)) return',
  'if (item.tag === other.tag) return',
  "if (secrets.includes('x')) return",
  'if (stage === other) return',
])('the rule lets %s pass', (source) => {
  expect(earlyComparisons('fine.ts', source)).toEqual([])
})
