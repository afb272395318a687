/** Writes the documents that are made from tables: `npm run docs`. Tests keep them equal. */
import { readFileSync, writeFileSync } from 'node:fs'
import { jsonSchema, renderConfiguration } from '../../src/config/document.ts'
import { openApiDocument } from '../../src/admin/openapi.ts'
import { renderCli } from './cli-document.ts'
import { dashboardFiles } from './dashboards.ts'
import { renderEdgeCases } from './edge-cases.ts'
import { renderErrors } from './errors-document.ts'
import { withMetrics } from './metrics-table.ts'
import { renderProfiles } from './profiles-document.ts'
import { renderS3Compatibility } from './s3-compatibility.ts'

const DOCUMENTS: Readonly<Record<string, string>> = {
  'docs/admin-api.json': `${JSON.stringify(openApiDocument(), null, 2)}\n`,
  'docs/cli.md': renderCli(),
  'docs/configuration.md': renderConfiguration(),
  'docs/configuration.schema.json': `${JSON.stringify(jsonSchema(), null, 2)}\n`,
  'docs/edge-cases.md': renderEdgeCases(),
  'docs/errors.md': renderErrors(),
  'docs/observability.md': withMetrics(readFileSync('docs/observability.md', 'utf8')),
  'docs/profiles.md': renderProfiles(),
  'docs/s3-compatibility.md': renderS3Compatibility(),
  ...dashboardFiles(),
}

for (const [path, text] of Object.entries(DOCUMENTS)) {
  writeFileSync(path, text)
  console.log(`wrote ${path}`)
}
