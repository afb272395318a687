import type { ListOptions } from '../object-store.ts'
import type { OrderedNames } from './ordered-names.ts'

/** One page of names. */
export interface NamePage {
  readonly keys: readonly string[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
}

/** The page that `ObjectStore.list` asks for, out of all names of a bucket. */
export function namePage(names: OrderedNames, options: ListOptions): NamePage {
  const { prefix, delimiter, limit } = options
  const keys: string[] = []
  const commonPrefixes: string[] = []
  let index = Math.max(names.indexFrom(prefix), startOf(names, options))
  for (;;) {
    const name = names.at(index)
    if (name?.startsWith(prefix) !== true) return { keys, commonPrefixes, truncated: false }
    if (keys.length + commonPrefixes.length === limit) return { keys, commonPrefixes, truncated: true }
    const common = commonPrefixOf(name, prefix, delimiter)
    if (common === undefined) {
      keys.push(name)
      index++
    } else {
      commonPrefixes.push(common)
      index = names.indexBehind(common)
    }
  }
}

function startOf(names: OrderedNames, { after, afterPrefix }: ListOptions): number {
  if (after === undefined) return 0
  return afterPrefix === true ? names.indexBehind(after) : names.indexAfter(after)
}

function commonPrefixOf(name: string, prefix: string, delimiter: string | undefined): string | undefined {
  if (delimiter === undefined || delimiter === '') return undefined
  const end = name.indexOf(delimiter, prefix.length)
  return end < 0 ? undefined : name.slice(0, end + delimiter.length)
}
