import { parseDocument } from 'yaml'
import type { Problem } from './problems.ts'

/** A YAML file as plain values, or what is wrong with it. `undefined` for an empty one. */
export function readYaml(
  path: string,
  read: () => string,
): { readonly value?: unknown; readonly problems: readonly Problem[] } {
  let text: string
  try {
    text = read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const hint = code === 'ENOENT' ? 'there is no such file' : `cannot be read ${code}`.trim()
    return { problems: [{ path: [path], hint }] }
  }
  const document = parseDocument(text, { uniqueKeys: true })
  // The first line only: the others quote the file, which may hold secrets.
  const complaints = [...document.errors, ...document.warnings].map(
    ({ message }) => message.split('\n')[0]?.replace(/:$/, '') ?? '',
  )
  if (complaints.length > 0) return { problems: complaints.map((hint) => ({ path: [path], hint })) }
  return { value: document.toJS() ?? undefined, problems: [] }
}
