/** What is wrong with the settings, in words that say what to do, and never a secret among them. */
import type { z } from 'zod'
import { Invalid } from '../errors.ts'
import { fieldAt, namesBelow } from './fields.ts'
import { valueAt } from './tree.ts'

export interface Problem {
  readonly path: readonly PropertyKey[]
  /** Why the value is refused and what to write instead. */
  readonly hint: string
  /** The refused value, if it may be shown. */
  readonly value?: unknown
}

/** Where a value came from, if not from the one file of settings: a variable, or another file. */
export interface Origin {
  readonly path: readonly PropertyKey[]
  readonly name: string
}

/** The one error that carries them all, a line for each. */
export function refusal(problems: readonly Problem[], origins: readonly Origin[]): Invalid {
  const lines = problems.map((problem) => `  ${describe(problem)}${originOf(problem, origins)}`)
  const head = problems.length === 1 ? 'a setting is wrong:' : `${problems.length} settings are wrong:`
  return new Invalid([head, ...lines].join('\n'))
}

/** `credentials[0].secretKey` */
export function pathText(path: readonly PropertyKey[]): string {
  const steps = path.map((step, at) =>
    typeof step === 'number' ? `[${step}]` : `${at === 0 ? '' : '.'}${String(step)}`,
  )
  return steps.join('')
}

/** The problems behind one complaint of the schema about `tree`. */
export function problemsOf(issue: z.core.$ZodIssue, tree: unknown): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => ({ path: [...issue.path, name], hint: unknownName(name, namesBelow(issue.path)) }))
  }
  const value = valueAt(tree, issue.path)
  if (value === undefined) return [{ path: issue.path, hint: missing(issue.path) }]
  const hint = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message
  return [{ path: issue.path, hint, value }]
}

/** What to say of a name that does not exist: the one that was meant, if one is near. */
export function unknownName(name: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(name.length / 5)))
    .sort((a, b) => a.distance - b.distance)[0]
  return near === undefined ? 'there is no such setting' : `there is no such setting; did you mean ${near.candidate}?`
}

function missing(path: readonly PropertyKey[]): string {
  const description = fieldAt(path)?.description ?? ''
  return description === '' ? 'is missing' : `is missing (${description.replace(/\.$/, '')})`
}

function describe({ path, hint, value }: Problem): string {
  const where = path.length === 0 ? 'settings' : pathText(path)
  return value === undefined ? `${where}: ${hint}` : `${where}: ${shown(path, value)} is refused: ${hint}`
}

const SHOWN_KINDS: ReadonlySet<string> = new Set(['text', 'number', 'boolean', 'text or number'])

/** Only single values of fields that are known not to be secret are shown; a list may hold secrets further down. */
function shown(path: readonly PropertyKey[], value: unknown): string {
  const field = fieldAt(path)
  const plain = field !== undefined && !field.secret && SHOWN_KINDS.has(field.kind)
  if (!plain || (typeof value === 'object' && value !== null)) return 'the value'
  const text = withoutUserinfo(JSON.stringify(value) ?? 'the value')
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

/** An address with a password in it is refused wherever it is not a secret, and the refusal is for the log. */
export function withoutUserinfo(text: string): string {
  return text.replace(/^("?(?:[a-z][a-z0-9+.-]*:\/\/)?).*@/i, '$1…@')
}

function originOf({ path }: Problem, origins: readonly Origin[]): string {
  const origin = origins.find((candidate) => candidate.path.every((step, at) => step === path[at]))
  return origin === undefined ? '' : ` (from ${origin.name})`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
