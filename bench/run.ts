/**
 * `npm run bench [-- PART …]`: prints a table and, with `--json`, one JSON document. Parts: format, large, range, list,
 * memory; remote (before MinIO), or its parts remote-large, remote-small, remote-range, remote-list, remote-memory. Without a part
 * everything runs except `memory`, which writes 16 GiB, `remote`, and `keys`, or its
 * parts keys-warm, keys-calls, keys-rotate, keys-deep (before MinIO); `--objects=NUMBER` is for the two in the middle. `--against=FOLDER` runs nothing but this gateway and that of
 * another checkout, whose packages are installed, in turn. Figures mean something only on a quiet machine, and
 * ratios mean more than seconds.
 */
import { benchAgainst } from './against.ts'
import { benchFormat } from './format.ts'
import { benchGateway, type Row } from './gateway.ts'
import { benchKeys } from './keys.ts'
import { benchRemote } from './remote.ts'

const args = process.argv.slice(2)
const parts = args.filter((arg) => !arg.startsWith('--'))
const chosen = parts.length > 0 ? parts : ['format', 'large', 'range', 'list']

/** `remote` stands for all of them. */
const REMOTE = ['remote-large', 'remote-small', 'remote-range', 'remote-list', 'remote-memory']
const remote = REMOTE.filter((part) => chosen.includes(part) || chosen.includes('remote'))

const KEYS = ['keys-warm', 'keys-calls', 'keys-rotate', 'keys-deep']
const keys = KEYS.filter((part) => chosen.includes(part) || chosen.includes('keys'))
const objects = Number(valueOf('objects') ?? 100_000)

const FORMAT_BOUND = 0.85

function formatRows(): Row[] {
  return Object.entries(benchFormat()).map(([name, { ratio }]) => ({
    name: `format: ${name} over plain AES-256-GCM`,
    value: ratio,
    unit: '×',
    // The bound is for whole chunks; pieces that do not meet them take two calls for each.
    ...(/[a-z]Aligned$/.test(name) ? { least: FORMAT_BOUND } : {}),
  }))
}

const checkout = valueOf('against')
const rows = checkout === undefined ? await benchParts() : await benchAgainst(checkout)

if (args.includes('--json')) {
  process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
} else {
  for (const row of rows) process.stdout.write(`${format(row)}\n`)
}
process.exitCode = rows.some((row) => verdict(row) === 'MISSED') ? 1 : 0

/** The value of `--name=value`. */
function valueOf(name: string): string | undefined {
  const start = `--${name}=`
  return args.find((arg) => arg.startsWith(start))?.slice(start.length)
}

async function benchParts(): Promise<Row[]> {
  return [
    ...(chosen.includes('format') ? formatRows() : []),
    ...(chosen.some((part) => part !== 'format' && !/^(?:remote|keys)/.test(part)) ? await benchGateway(chosen) : []),
    ...(keys.length > 0 ? await benchKeys(keys, objects) : []),
    ...(remote.length > 0 ? await benchRemote(remote) : []),
  ]
}

function format(row: Row): string {
  const bound =
    row.bound !== undefined ? ` (at most ${row.bound})` : row.least !== undefined ? ` (at least ${row.least})` : ''
  return `${row.name.padEnd(58)} ${row.value.toPrecision(4).padStart(10)} ${row.unit}${bound} ${verdict(row)}`
}

function verdict({ value, bound, least }: Row): '' | 'ok' | 'MISSED' {
  if (bound === undefined && least === undefined) return ''
  return value <= (bound ?? Number.POSITIVE_INFINITY) && value >= (least ?? Number.NEGATIVE_INFINITY) ? 'ok' : 'MISSED'
}
