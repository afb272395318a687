/** The tables beside the vectors (docs/format.md, "Tables"): sizes, ranges, derivations. */
import { createHash } from 'node:crypto'
import { expand, LABELS, lengthPrefixed } from '../../src/format/derive.ts'
import { stateId } from '../../src/format/journal.ts'
import { type Layout, type SegmentPlace, storedSpan } from '../../src/format/layout.ts'
import { DATA_OF_PART, DATA_OF_PUT, type SegmentType } from '../../src/format/segment.ts'
import {
  CHUNK_BYTES as C,
  MAX_OBJECT_BYTES,
  MIN_SEGMENT_BYTES as D,
  plaintextSize,
  segmentSize,
  storedSize,
} from '../../src/format/sizes.ts'
import { seededRandom } from './sealing.ts'

/** The tables by file name, as they are written. */
export function tables(): ReadonlyMap<string, string> {
  return new Map([
    ['sizes.json', render(sizes())],
    [
      'ranges.json',
      render({
        comment: 'plaintext bytes first to last of segments of these lengths: the stored bytes, inclusive',
        rows: ranges(),
      }),
    ],
    ['derivations.json', render(derivations())],
  ])
}

/** One row of an array on one line: readable, and a change of one row is a change of one line. */
function render(table: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(table).map(([name, value]) => {
    if (!Array.isArray(value)) return `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`
    return `  ${JSON.stringify(name)}: [\n${value.map((row) => `    ${JSON.stringify(row)}`).join(',\n')}\n  ]`
  })
  return `{\n${fields.join(',\n')}\n}\n`
}

const around = (step: number): number[] => [step - 1, step, step + 1]

function sizes(): Record<string, unknown> {
  const chunkSteps = [1, 2, 3, 79, 81, 160, 240].map((k) => k * C)
  const segmentSteps = [1, 2, 3, 4, 5, 100, 1000, 1023, 5000, 9997, 9998, 9999, 10_000, 10_001].map((k) => k * D)
  const limits = [5_367_187_000, MAX_OBJECT_BYTES]
  const plaintexts = [0, 1, 15, 16, 17, 100, ...[...chunkSteps, ...segmentSteps, ...limits].flatMap(around), 2 ** 43]
  const ordered = [...new Set(plaintexts)].sort((a, b) => a - b)
  const gaps = [...chunkSteps, ...segmentSteps]
    .sort((a, b) => a - b)
    .map((P) => [storedSize(P - 1) + 1, storedSize(P) - 1])
  const steps = (count: number, step: number): string[] =>
    Array.from({ length: count }, (_, i) => around((i + 1) * step)).flatMap((row) =>
      row.map((P) => `${P} ${storedSize(P)}`),
    )
  const image = Array.from({ length: 200_000 }, (_, s) => (plaintextSize(s) === undefined ? '0' : '1')).join('')
  return {
    comment: 'valid: [P, S(P)]; invalid: first and last stored size of a gap; digests: docs/format.md, "Tables"',
    valid: ordered.map((P) => [P, storedSize(P)]),
    invalid: [[0, storedSize(0) - 1], ...gaps],
    digests: {
      'D-steps': sha256(lines(steps(10_000, D))),
      'C-steps': sha256(lines(steps(240, C))),
      'valid-below-200000': sha256(image),
    },
  }
}

function lines(rows: readonly string[]): string {
  return rows.map((row) => `${row}\n`).join('')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function ranges(): object[] {
  const layouts = [
    [1],
    [100],
    [C],
    [C + 1],
    [2 * C + 100],
    [257 * C + 5],
    [D, D, 1000],
    [D + C, 0],
    [D, D + 70_000, 5 * C],
  ]
  return layouts.flatMap((segments) => {
    const layout = layoutOf(segments)
    const starts = [0, 1, C - 1, C, C + 1, 2 * C, D - 1, D, D + C, 2 * D, layout.plaintextBytes - 1]
    const spans = starts.flatMap((first) =>
      [first, first + 1, first + C, layout.plaintextBytes - 1].map((last) => [first, last]),
    )
    const distinct = new Map(spans.map((span) => [span.join('-'), span]))
    return [...distinct.values()].flatMap(([first = 0, last = 0]) => {
      if (first > last || last >= layout.plaintextBytes) return []
      const span = storedSpan(layout, first, last)
      return [{ segments, first, last, stored: [span.first, span.last] }]
    })
  })
}

/** A layout of segments of these lengths; salts do not matter for where things lie. */
function layoutOf(segments: readonly number[]): Layout {
  let plaintextOffset = 0
  let storedOffset = 0
  const places = segments.map((plaintextBytes, i): SegmentPlace => {
    const type: SegmentType = segments.length === 1 ? DATA_OF_PUT : DATA_OF_PART
    const place = { type, partNumber: i, salt: Buffer.alloc(24), plaintextBytes, plaintextOffset, storedOffset }
    plaintextOffset += plaintextBytes
    storedOffset += segmentSize(plaintextBytes)
    return place
  })
  return { suite: 1, plaintextBytes: plaintextOffset, storedBytes: storedSize(plaintextOffset), segments: places }
}

/** One derivation for each label, with inputs of the form that the format gives it. */
function derivations(): Record<string, unknown> {
  const random = seededRandom('derivations')
  const salt = random(24)
  const names = Buffer.concat([lengthPrefixed('backups'), lengthPrefixed('photos/2026/cat.jpg')])
  const u32 = (value: number): Buffer => Buffer.from([0, 0, value >>> 8, value & 0xff])
  const data: Record<string, [data: Buffer, bytes: number]> = {
    [LABELS.segment]: [Buffer.concat([Buffer.from('SGT1'), Buffer.from([1, 2, 0, 7]), salt]), 76],
    [LABELS.area]: [salt, 44],
    [LABELS.metadata]: [Buffer.concat([salt, random(32)]), 44],
    [LABELS.journal]: [
      Buffer.concat([
        salt,
        Buffer.from(stateId('backups', 'k', 'u')),
        Buffer.from([0, 7]),
        Buffer.from('0mt0aq6pn-0123abcd'),
      ]),
      44,
    ],
    [LABELS.kid]: [Buffer.alloc(0), 16],
    [LABELS.wrap]: [Buffer.concat([salt, random(32), names]), 44],
    [LABELS.facts]: [Buffer.alloc(0), 32],
    [LABELS.state]: [Buffer.concat([salt, lengthPrefixed('uploads/0/create')]), 44],
    'sealgate/v1/local': [Buffer.concat([salt, lengthPrefixed('backups'), u32(20_700)]), 44],
    'sealgate/v1/local-id': [Buffer.alloc(0), 8],
  }
  const missing = Object.values(LABELS).filter((label) => !(label in data))
  if (missing.length > 0) throw new Error(`no derivation for ${missing.join(', ')}`)
  const rows = Object.entries(data).map(([label, [input, bytes]]) => {
    const prk = random(32)
    const output = expand(prk, label, input, bytes).toString('hex')
    return { label, prk: prk.toString('hex'), data: input.toString('hex'), bytes, output }
  })
  const uploads = [
    ['backups', 'photos/2026/cat.jpg', 'upload-1'],
    ['backups', 'caf\u00e9//b', '2~abc'],
    ['a', 'bc', ''],
    ['ab', 'c', ''],
  ]
  const ids = uploads.map(([bucket = '', key = '', upload = '']) => ({
    bucket,
    key,
    upload,
    id: stateId(bucket, key, upload),
  }))
  return { comment: 'X(prk, label, data, bytes); all in hex', rows, 'state-ids': ids }
}
