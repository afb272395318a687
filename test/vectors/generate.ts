/**
 * Writes the test vectors: `node scripts/run-ts.mjs test/vectors/generate.ts [--expand DIR]`. Without an option it writes
 * the files of this folder anew; with `--expand` it writes all of them, with the bodies that are not stored, into DIR.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { allVectors } from './families/all.ts'
import { tables } from './tables.ts'
import { renderVector } from './vector-file.ts'

const [option, folder] = process.argv.slice(2)
if (option !== undefined && (option !== '--expand' || folder === undefined)) {
  console.error('usage: generate.ts [--expand DIR]')
  process.exit(2)
}

const target = folder ?? path.resolve('test/vectors')
mkdirSync(target, { recursive: true })
for (const name of readdirSync(target)) if (name.endsWith('.vector')) rmSync(path.join(target, name))

const vectors = allVectors()
for (const vector of vectors)
  writeFileSync(path.join(target, `${vector.name}.vector`), renderVector(vector, folder !== undefined))
for (const [name, text] of tables()) writeFileSync(path.join(target, name), text)
console.log(`${vectors.length} vectors and ${tables().size} tables in ${target}`)
