/** Calls of a store's methods as a scheduler sees them: what they say, and what can be learnt from their answers. */
import { createHash, type Hash } from 'node:crypto'
import type { Body } from '../../src/backends/body.ts'
import { prefixOf } from './touches.ts'

/** Which record or part a call is about, for the trace. */
export function subject(args: readonly unknown[]): string {
  const [first, second, third] = args
  if (typeof first !== 'string') return typeof second === 'number' ? ` ${second}` : ''
  const name = (prefixOf(second) ?? String(second)).replace(/^uploads\/[0-9a-f]{32}/, '').replace(/~.*$/s, '')
  const condition = typeof third === 'object' && third !== null && 'condition' in third ? ' if' : ''
  return ` ${name}${condition}`
}

/** The methods that draw an ETag. */
export const WRITES = new Set<string | symbol>(['put', 'putPart', 'completeUpload'])

/** The arguments, with the bytes of a body made known as they pass. */
export function tapped(args: readonly unknown[], content: (fresh: Hash) => void): unknown[] {
  const plain = args.filter((arg) => !isBody(arg))
  const hash = createHash('sha256').update(
    JSON.stringify(plain, (key, value: unknown) => (key === 'signal' ? null : value)),
  )
  content(hash)
  return args.map((arg) => (isBody(arg) ? tap(arg, hash) : arg))
}

async function* tap(body: Body, hash: Hash): Body {
  for await (const pieces of body) {
    for (const piece of pieces) hash.update(piece)
    yield pieces
  }
}

export const isBody = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

/** What an operation can learn from an answer. Of times only their order counts, and that only in the journal of an upload. */
export function digest(value: unknown): string {
  const plain = JSON.stringify(value, (key, part: unknown) => (key === 'lastModified' || key === 'body' ? null : part))
  return `${plain ?? ''}${journalOrder(value)}`
}

/** The attempts in a page by their times, part by part. */
export function journalOrder(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('objects' in value) || !Array.isArray(value.objects)) return ''
  const entries = value.objects as readonly { readonly key: string; readonly lastModified: Date }[]
  const attempts = entries.filter(({ key }) => key.includes('/p/'))
  const sorted = [...attempts].sort((a, b) => {
    const part = partOf(a.key).localeCompare(partOf(b.key))
    return part || a.lastModified.getTime() - b.lastModified.getTime()
  })
  return sorted.map(({ key }, i) => `${key}${sameMoment(sorted[i - 1], sorted[i]) ? '=' : '<'}`).join()
}

const partOf = (key: string): string => key.replace(/^.*\/p\/(\d{5}).*$/s, '$1')

const sameMoment = (a: { lastModified: Date } | undefined, b: { lastModified: Date } | undefined): boolean =>
  a?.lastModified.getTime() === b?.lastModified.getTime()
