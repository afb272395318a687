/** docs/compatibility.md from the results of all cells. */
const oneLine = (text) => text.split('\n')[0].replaceAll('|', '\\|').slice(0, 160)

export function renderCompatibility(cells, stores, clients) {
  const known = Object.values(cells)
  const used = stores.filter((store) => known.some((cell) => cell.store === store.name))
  const lines = [
    '# Compatibility',
    '',
    'Made by `npm run certify` from its own results; not written by hand. Every cell is a real client against a gateway of its own over a',
    'real store, on the date below. Each run ends with a search for samples of the plaintext in all that the store keeps. Cells marked `q`',
    'were run with `--quick`: a small made-up tree and files of 24 MB instead of a real tree and 2 GiB. Over stores that do not decide',
    'conditional writes, the checks of these expect the refusal (501 `NotImplemented`); over the others, 412 and the first object unharmed.',
    '',
    ...matrix(cells, used, clients),
    '',
    '## Stores',
    '',
    ...used.map((store) => `* **${head(store, known)}** (\`${store.name}\`): ${store.notes}`),
    '',
  ]
  for (const client of clients) {
    const mine = used.map((store) => cells[`${store.name}/${client.name}`]).filter((cell) => cell !== undefined)
    if (mine.length > 0) lines.push(...details(client, mine, used))
  }
  return `${lines.join('\n').trimEnd()}\n`
}

const head = (store, known) => {
  const version = known.find((cell) => cell.store === store.name && cell.storeVersion)?.storeVersion
  return version ? `${store.label} ${version}` : store.label
}

function matrix(cells, stores, clients) {
  const known = Object.values(cells)
  const lines = [
    `| client | ${stores.map((store) => head(store, known)).join(' | ')} |`,
    `|---|${stores.map(() => '---').join('|')}|`,
  ]
  for (const client of clients) {
    const mine = stores.map((store) => cells[`${store.name}/${client.name}`])
    if (mine.every((cell) => cell === undefined)) continue
    const version = mine.find((cell) => cell?.version)?.version ?? ''
    lines.push(`| ${client.label}${version ? ` ${version}` : ''} | ${mine.map(verdict).join(' | ')} |`)
  }
  return lines
}

const which = (failed) => `${oneLine(failed[0].what)}${failed.length > 1 ? ` and ${failed.length - 1} more` : ''}`

function verdict(cell) {
  if (cell === undefined) return ''
  if (cell.notRun !== undefined) return `not run: ${oneLine(cell.notRun)}`
  const failed = cell.checks.filter((one) => !one.ok)
  const quick = cell.quick ? ' q' : ''
  if (failed.length > 0) return `**${failed.length} of ${cell.checks.length} failed**: ${which(failed)}${quick}`
  return `ok ${cell.checks.length} checks${quick}`
}

/** One table for a client: checks down, stores across, seconds in the cells. */
function details(client, cells, stores) {
  const run = cells.filter((cell) => cell.notRun === undefined)
  if (run.length === 0) return []
  const labels = run.map((cell) => stores.find((store) => store.name === cell.store).label)
  const lines = [`## ${client.label}`, '']
  if (client.notes) lines.push(client.notes, '')
  lines.push(`Run: ${run.map((cell, i) => `${labels[i]} ${cell.date}`).join(', ')}; times in seconds.`, '')
  lines.push(`| check | ${labels.join(' | ')} |`, `|---|${labels.map(() => '---').join('|')}|`)
  const names = [...new Set(run.flatMap((cell) => cell.checks.map((one) => one.what)))]
  for (const what of names) {
    const row = run.map((cell) => {
      const one = cell.checks.find((check) => check.what === what)
      return one === undefined ? '' : one.ok ? one.seconds.toFixed(1) : '**failed**'
    })
    lines.push(`| ${oneLine(what)} | ${row.join(' | ')} |`)
  }
  lines.push('', ...reasons(run, labels))
  return lines
}

/** What failed and how, one line for each kind of failure. */
function reasons(run, labels) {
  const lines = new Map()
  for (const [i, cell] of run.entries()) {
    for (const { what, detail } of cell.checks.filter((one) => !one.ok)) {
      const line = `${oneLine(what)}: ${oneLine(detail.replaceAll(/\(Service: .*|, aws_request_id.*|[<>`*]/g, ''))}`
      lines.set(line, [...(lines.get(line) ?? []), labels[i]])
    }
  }
  if (lines.size === 0) return []
  return ['Failed:', '', ...[...lines].map(([line, where]) => `* ${where.join(', ')}: ${line}`), '']
}
