/** Not a client but the repository's own protocol tests, those about what a store has a hand in: see test/helpers/worlds.ts. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, attempt } from '../shell.mjs'

const TESTS = 'test/http'

export const protocol = {
  name: 'protocol',
  label: 'Protocol tests',
  notes:
    'The tests of the edge cases (docs/edge-cases.md) that a store has a hand in, one check for each. What differs over this store, or means nothing there, stands there too.',
  /** Their gateways are their own. */
  leavesNothing: true,
  cannot: ({ bare }, store) =>
    bare || store.embedded ? 'the tests bring their own gateways; over the embedded store `npm test` runs them' : undefined,
  install: () => ({ version: '' }),
  run,
}

/** Files whose gateways are over the store under test. */
const files = () =>
  readdirSync(TESTS)
    .map((name) => join(TESTS, name))
    .filter((path) => /\b(startTested|worldsOf|STORES)\b/.test(readFileSync(path, 'utf8')))

function run({ gateway, store, record }) {
  const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = store
  const tested = { endpoint, region, accessKeyId, secretAccessKey, profile: store.name }
  const report = join(gateway.folder, 'protocol.json')
  const { output } = attempt(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--reporter=json', `--outputFile=${report}`, ...files()],
    { env: { SEALGATE_TEST_STORE: JSON.stringify(tested) } },
  )
  const { testResults } = readReport(report, output)
  for (const { name, status, message, assertionResults } of testResults)
    if (assertionResults.length === 0) record(`${name} runs`, status === 'passed', 0, message)
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  for (const [what, group] of byNumber(tests)) record(...verdict(what, group))
  record(...verdict('all of them', tests))
}

function readReport(path, output) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    throw new Error(`the tests left no report\n${output.slice(-2000)}`)
  }
}

/** Tests by the numbers of edge cases that their names, or those of their groups, begin with. */
function byNumber(tests) {
  const groups = new Map()
  for (const test of tests) {
    const names = [...test.ancestorTitles, test.title].filter((name) => /^B\d+\b/.test(name))
    for (const [number] of names.join(' ').matchAll(/\bB\d+\b/g)) {
      groups.set(number, [...(groups.get(number) ?? []), test])
    }
  }
  assert(groups.size > 0, 'no test has a number')
  return [...groups].sort(([a], [b]) => Number(a.slice(1)) - Number(b.slice(1)))
}

/** The arguments of `record`: how many tests passed, failed or are not applicable, and why. */
function verdict(what, tests) {
  const [passed, skipped] = ['passed', 'skipped'].map((status) => tests.filter((one) => one.status === status))
  const failed = tests.filter((one) => one.status !== 'passed' && one.status !== 'skipped')
  const why = [...new Set(skipped.map(({ meta }) => meta?.notApplicable ?? 'no reason is given'))]
  const counts = `${passed.length} passed, ${failed.length} failed, ${skipped.length} not applicable`
  const detail = [
    skipped.length > 0 ? `${counts}: ${why.join('; ')}` : counts,
    ...failed.map((one) => `${one.fullName}: ${one.failureMessages.join(' ').split('\n')[0]}`),
  ]
  const ok = failed.length === 0 && why.every((reason) => reason !== 'no reason is given')
  const seconds = tests.reduce((sum, { duration = 0 }) => sum + duration, 0) / 1000
  return [passed.length + failed.length === 0 ? `${what} (not applicable)` : what, ok, seconds, detail.join('\n')]
}
