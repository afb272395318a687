/** The section of docs/s3-compatibility.md about the differential test: every difference that it explains. */
import { readFileSync } from 'node:fs'

const TABLE = 'scripts/certify/differential/explained.json'

/** A row of the table; see scripts/certify/differential/explain.mjs. */
interface Explained {
  readonly where: string
  readonly steps?: string | readonly string[]
  readonly what: string | readonly string[]
  readonly minio?: string | readonly string[]
  readonly sealgate?: string | readonly string[]
  readonly why: string
}

const words = (pattern: string | readonly string[] | undefined, none: string): string => {
  if (pattern === undefined) return none
  return [pattern]
    .flat()
    .map((word) => (word === '' ? 'empty' : `\`${word}\``))
    .join(', ')
}

const outcome = ({ minio, sealgate }: Explained): string =>
  minio === undefined && sealgate === undefined ? '' : `: ${words(minio, 'anything')} → ${words(sealgate, 'anything')}`

/** Requests by the names that they have in scripts/certify/differential/steps; `*` stands for anything. */
export const renderDifferences = (): string => {
  const rows = JSON.parse(readFileSync(TABLE, 'utf8')) as readonly Explained[]
  return `## Differences from MinIO

\`npm run certify -- --store minio --client differential\` plays one list of requests against MinIO, against a gateway over MinIO and
against a gateway over its embedded store, and compares statuses, codes, headers and documents. A difference that no row here explains
fails the run, and so does a row that explains nothing any more. Left of an arrow stands what MinIO has, right of it what the gateway has.

| gateway | requests | difference | why |
|---|---|---|---|
${rows
  .map((row) => `| ${row.where} | ${words(row.steps, 'all')} | ${words(row.what, '')}${outcome(row)} | ${row.why} |`)
  .join('\n')}`
}
