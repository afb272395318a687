/** The table of explained differences, and what of it is true. */
import { readFileSync } from 'node:fs'

/**
 * Rows of explained.json: `where` (`over MinIO`, `embedded` or `both`), `steps` and `what` (names, `*` for anything), where it matters
 * `minio` and `sealgate` (what each side has), and `why`.
 */
export const EXPLAINED = JSON.parse(readFileSync(new URL('explained.json', import.meta.url), 'utf8'))

const fits = (pattern, text) =>
  new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
    's',
  ).test(text)
const anyFits = (patterns, text) =>
  patterns === undefined ? true : [patterns].flat().some((pattern) => fits(pattern, text))

/** The first row that explains a difference. */
export const explanationOf = ({ where, step, what, theirs, ours }) =>
  EXPLAINED.find(
    (row) =>
      (row.where === 'both' || row.where === where) &&
      anyFits(row.steps, step) &&
      anyFits(row.what, what) &&
      anyFits(row.minio, theirs ?? 'nothing') &&
      anyFits(row.sealgate, ours ?? 'nothing'),
  )
