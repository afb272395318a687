#!/usr/bin/env node
/**
 * `npm run check`: types, lint, format, dead code, architecture, comparisons, duplicates, generated documents. Every step runs even if
 * an earlier one failed; each must prove that it looked at something. The last line counts.
 */
import { spawnSync } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'

const bin = (name) => `node_modules/.bin/${name}`

/** Name, command, and a pattern the output must have: a guard that sees no code is a failed guard. */
const STEPS = [
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  {
    name: 'lint',
    command: [bin('oxlint'), '--type-aware', 'src', 'test', 'bench', 'scripts'],
    sees: /on [1-9]\d{2,} files/,
  },
  { name: 'format', command: [bin('biome'), 'format', '.'], sees: /Checked [1-9]\d{2,} files/ },
  { name: 'dead code', command: [bin('knip'), '--no-progress'] },
  {
    name: 'architecture, comparisons and documents',
    command: [bin('vitest'), 'run', 'test/architecture.test.ts', 'test/constant-time.test.ts', 'test/memory/audit-table.test.ts', 'test/docs.test.ts', 'test/config/document.test.ts'],
    sees: /Tests +[1-9]/,
  },
  { name: 'duplicates', command: [bin('jscpd'), '--config', '.jscpd.json', 'src'], sees: /typescript +│ [1-9]\d{1,}/ },
]

let failed = 0
for (const { name, command, sees } of STEPS) {
  const started = Date.now()
  const [file, ...args] = command
  const result = spawnSync(file, args, { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' } })
  const output = stripVTControlCharacters(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  const blind = sees !== undefined && !sees.test(output)
  const ok = result.status === 0 && !blind
  if (!ok) failed += 1
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  if (!ok) console.log(blind && result.status === 0 ? `${output}\nThe step saw too little to mean anything.` : output)
}
console.log(`check: ${STEPS.length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
