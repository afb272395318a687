/** Results of all runs so far, one for each cell, in the cache: cells can be filled one by one. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const fileIn = (cache) => join(cache, 'cells.json')

export function loadCells(cache) {
  return existsSync(fileIn(cache)) ? JSON.parse(readFileSync(fileIn(cache), 'utf8')) : {}
}

/** Puts one cell in place of what was known of that pair, and keeps the file whole if the process dies. */
export function saveCell(cache, cell) {
  const cells = loadCells(cache)
  const key = `${cell.store}/${cell.client}`
  // That something could not be tried today says nothing against what was found when it could.
  if (cell.notRun !== undefined && cells[key]?.notRun === undefined && cells[key] !== undefined) return
  cells[key] = cell
  writeFileSync(`${fileIn(cache)}.new`, `${JSON.stringify(cells, null, 2)}\n`)
  renameSync(`${fileIn(cache)}.new`, fileIn(cache))
}
