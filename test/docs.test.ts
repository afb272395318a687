/** The documents that are made from tables are as the tables say: `npm run docs` writes them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { renderCli } from '../scripts/docs/cli-document.ts'
import { decidedByStores, edgeCases, readEdgeTests, renderEdgeCases } from '../scripts/docs/edge-cases.ts'
import { renderProfiles } from '../scripts/docs/profiles-document.ts'
import { renderErrors } from '../scripts/docs/errors-document.ts'
import { renderS3Compatibility } from '../scripts/docs/s3-compatibility.ts'
import { openApiDocument } from '../src/admin/openapi.ts'
import { S3_ERRORS } from '../src/s3/errors.ts'
import { OPERATION_NAMES } from '../src/s3/operation-name.ts'

const stored = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../docs/${name}`, import.meta.url)), 'utf8')

describe('the generated documents', () => {
  it('docs/s3-compatibility.md equals the operation table', () => {
    expect(stored('s3-compatibility.md')).toBe(renderS3Compatibility())
  })

  it('docs/admin-api.json equals the routes and schemas of the admin API', () => {
    expect(stored('admin-api.json')).toBe(`${JSON.stringify(openApiDocument(), null, 2)}\n`)
  })

  it('docs/errors.md equals the error tables', () => {
    expect(stored('errors.md')).toBe(renderErrors())
  })

  it('docs/profiles.md equals the table of profiles', () => {
    expect(stored('profiles.md')).toBe(renderProfiles())
  })

  it('docs/edge-cases.md equals the table and the names of tests', () => {
    expect(stored('edge-cases.md')).toBe(renderEdgeCases())
  })

  it('every edge case has a protocol test, and every number is one of an edge case', () => {
    const cases = edgeCases()
    expect(cases).toHaveLength(114)
    const { tests } = readEdgeTests()
    expect([...tests.keys()].sort((a, b) => a - b)).toEqual(cases.map((_, index) => index + 1))
  })

  it('every edge case that a store decides has a test that can be run over any store', () => {
    const { tests } = readEdgeTests()
    const without = decidedByStores().filter((number) => tests.get(number)?.some((one) => one.overStores) !== true)
    expect(without).toEqual([])
  })

  it('docs/cli.md equals the tree of commands', () => {
    expect(stored('cli.md')).toBe(renderCli())
  })

  it('name every operation once', () => {
    const rows = renderS3Compatibility().split('\n')
    for (const name of OPERATION_NAMES) expect(rows.filter((row) => row.startsWith(`| ${name} | \``))).toHaveLength(1)
  })

  it('name every error code', () => {
    for (const code of Object.keys(S3_ERRORS)) expect(renderErrors()).toContain(`| \`${code}\` |`)
  })

  it('have tables whose rows all have the cells of their head', () => {
    for (const text of [renderS3Compatibility(), renderErrors(), renderEdgeCases()]) {
      for (const block of text.split('\n\n').filter((paragraph) => paragraph.startsWith('|'))) {
        expect(
          new Set(
            block
              .trim()
              .split('\n')
              .map((row) => row.split('|').length),
          ).size,
        ).toBe(1)
      }
    }
  })
})
