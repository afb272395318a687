/** What expressions of Prometheus name. */
import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { DASHBOARDS } from '../../scripts/docs/dashboards.ts'

interface Selector {
  readonly metric: string
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[]
}

export interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

const RULES = 'deploy/prometheus'

export function rules(): readonly Rule[] {
  const files = readdirSync(RULES).filter((name) => name.endsWith('.rules.yml'))
  return files.flatMap((name) => {
    const { groups }: { groups: { rules: Rule[] }[] } = parse(readFileSync(`${RULES}/${name}`, 'utf8'))
    return groups.flatMap((group) => group.rules)
  })
}

/** All expressions of rules and dashboards, and where they stand. */
export function expressions(): readonly { readonly where: string; readonly expr: string }[] {
  const ofRules = rules().map(({ alert, record, expr }) => ({ where: alert ?? record ?? '', expr }))
  const ofDashboards = DASHBOARDS.flatMap(({ uid, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ title, lines }) => lines.map(([expr]) => ({ where: `${uid}, ${title}`, expr }))),
    ),
  )
  return [...ofRules, ...ofDashboards]
}

const NAME = /\b((?:sealgate|process|nodejs)_\w+|sealgate:[\w:]+|up)\b(?:\{([^}]*)\})?/g
const MATCHER = /(\w+)(=~|!~|!=|=)"([^"]*)"/g

export function selectorsOf(expr: string): readonly Selector[] {
  return [...expr.matchAll(NAME)].map(([, metric = '', inside = '']) => ({
    metric,
    matchers: [...inside.matchAll(MATCHER)].map(([, label = '', operator = '', value = '']) => ({
      label,
      operator,
      value,
    })),
  }))
}

/** The labels by which they group and join. */
export const groupingsOf = (expr: string): readonly string[] =>
  [...expr.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g)].flatMap(([, inside = '']) => inside.split(/,\s*/))

/** The labels of one line of the text format. */
export const labelsOf = (line: string): Readonly<Record<string, string>> =>
  Object.fromEntries([...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]))

/** Whether a sample has what a selector asks for; labels that Prometheus adds are there. */
export function isMet({ matchers }: Selector, labels: Readonly<Record<string, string>>): boolean {
  return matchers.every(({ label, operator, value }) => {
    if (label === 'job' || label === 'instance') return true
    const found = labels[label] ?? ''
    const fits = operator.endsWith('~') ? new RegExp(`^(?:${value})$`).test(found) : found === value
    return operator.startsWith('!') ? !fits : fits
  })
}
