/** docs/compatibility.md from a run's results. */
export function renderCompatibility({ node, tree, results }) {
  const gib = (tree.bytes / 2 ** 30).toFixed(2)
  const lines = [
    '# Compatibility',
    '',
    'Made by `npm run certify` from its own results; not written by hand.',
    '',
    `One gateway over the embedded store on Node.js ${node.slice(1)}; a real directory tree of ${tree.files.toLocaleString('en')} files and ${gib} GiB.`,
    '',
  ]
  for (const { name, version, notRun, checks } of results) {
    lines.push(`## ${name}${version ? ` (${version})` : ''}`, '')
    if (notRun !== undefined) lines.push(`Not run: ${notRun}`, '')
    if (checks.length === 0) continue
    lines.push('| check | result | seconds |', '|---|---|---|')
    for (const { what, ok, seconds, detail } of checks) {
      const result = ok ? `passed${detail ? ` (${detail})` : ''}` : '**failed**'
      lines.push(`| ${what} | ${result} | ${seconds.toFixed(1)} |`)
    }
    lines.push('')
  }
  return lines.join('\n')
}
