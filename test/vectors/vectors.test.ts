import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { allVectors } from './families/all.ts'
import { type Feed, readVector } from './reader.ts'
import { plaintextOf } from './sealing.ts'
import { tables } from './tables.ts'
import { parseVector, renderVector, sha256Hex, STORED_BODY_LIMIT } from './vector-file.ts'

/** A vector that is lost, or added without being counted, must not go unnoticed. */
const EXPECTED_FILES = 369
/** Below this many stored bytes a body is also fed byte by byte. */
const BYTEWISE_LIMIT = 4_096

const folder = path.dirname(fileURLToPath(import.meta.url))
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.vector'))
  .sort()
const generated = new Map(allVectors().map((vector) => [`${vector.name}.vector`, vector]))

test('the folder has exactly the vectors that the generator makes', () => {
  expect(files).toHaveLength(EXPECTED_FILES)
  expect(files).toEqual([...generated.keys()])
})

test('generating again gives identical files', () => {
  for (const [file, vector] of generated) {
    expect(readFileSync(path.join(folder, file)).equals(renderVector(vector, false)), file).toBe(true)
  }
  for (const [file, text] of tables()) expect(readFileSync(path.join(folder, file), 'utf8'), file).toBe(text)
})

test('every layer fails in some vector, and every kind of record is there', () => {
  const headers = files.map((file) => parseVector(readFileSync(path.join(folder, file))).header)
  expect(new Set(headers.map((header) => header.get('expect')))).toEqual(
    new Set([
      'success',
      'envelope failure',
      'unwrap failure',
      'commitment failure',
      'metadata failure',
      'tail failure',
      'payload failure',
      'size mismatch',
    ]),
  )
  expect(new Set(headers.map((header) => header.get('kind')))).toEqual(
    new Set([undefined, 'facts', 'state', 'journal']),
  )
})

test('the worked example of the specification is a vector', () => {
  const text = readFileSync(path.join(folder, '../../docs/format.md'), 'utf8')
  const example = text.slice(text.indexOf('## 12. Worked example'))
  const { header, body } = parseVector(readFileSync(path.join(folder, 'put_1_byte.vector')))
  const envelope = Buffer.from(header.get('sg-e') ?? '', 'base64url')
  expect(hexOf(example, '01                     version', 'SHA-256 of all')).toBe(envelope.toString('hex'))
  expect(hexOf(example, 'offset 0:', 'key of the segment')).toBe(body.toString('hex'))
})

/** The hex that begins the lines between two texts; what follows two spaces is explanation. */
function hexOf(text: string, from: string, to: string): string {
  const lines = text.slice(text.indexOf(from), text.indexOf(to)).split('\n')
  return lines
    .map((line) => (/^ *((?:[0-9a-f]{2})+(?: (?:[0-9a-f]{2})+)*)(?= {2}|$)/.exec(line)?.[1] ?? '').replaceAll(' ', ''))
    .join('')
}

describe.each(files)('%s', (file) => {
  const { header, body: storedBody } = parseVector(readFileSync(path.join(folder, file)))
  // Bodies above the limit are not in the file; they are made again, and the file's digest says whether rightly.
  const body =
    Number(header.get('body-bytes')) > STORED_BODY_LIMIT ? (generated.get(file)?.body ?? storedBody) : storedBody
  const feeds: Feed[] = ['whole', 'odd pieces', 'chunk by chunk']
  if (body.length <= BYTEWISE_LIMIT) feeds.push('byte by byte')

  test('its body is the one that the header describes', () => {
    expect(String(body.length)).toBe(header.get('body-bytes'))
    expect(sha256Hex(body)).toBe(header.get('body-sha256'))
    expect(storedBody.length > 0 || body.length === 0 || header.has('seed')).toBe(true)
  })

  if (header.has('kind')) {
    test(`${header.get('expect')}: ${header.get('comment')}`, () => {
      const { result, content } = readVector(header, body, 'whole')
      expect(result).toBe(header.get('expect'))
      expect(content).toEqual(result === 'success' ? JSON.parse(header.get('content') ?? '') : undefined)
    })
    return
  }

  test.each(feeds)(`${header.get('expect')}: ${header.get('comment')} (%s)`, (feed) => {
    const { result, released, content } = readVector(header, body, feed)
    expect(result).toBe(header.get('expect'))
    const permitted = permittedPlaintext(header)
    expect(sha256Hex(permitted)).toBe(header.get('plaintext-sha256'))
    // A reader fed with large pieces may drop what a piece held before the failure; it never releases more.
    const exact = result === 'success' || feed === 'chunk by chunk' || feed === 'byte by byte'
    if (exact) expect(released.length).toBe(permitted.length)
    expect(released.equals(permitted.subarray(0, released.length))).toBe(true)
    expect(released.length).toBeLessThanOrEqual(permitted.length)
    if (header.has('entries')) expect(content).toEqual(JSON.parse(header.get('entries') ?? ''))
  })
})

function permittedPlaintext(header: ReadonlyMap<string, string>): Buffer {
  const first = Number(header.get('range')?.split('-')[0] ?? 0)
  return plaintextOf(first + Number(header.get('plaintext-bytes'))).subarray(first)
}
