/** Entries of `buckets` from the files of a folder, one file a bucket or a tenant. */
import { join } from 'node:path'
import type { Origin, Problem } from './problems.ts'
import type { ReadFile } from './secrets.ts'
import type { Tree } from './tree.ts'
import { readYaml } from './yaml.ts'

/** The names of what is in a folder; throws as `readdirSync` does. */
export type ListFolder = (path: string) => readonly string[]

export interface FolderReader {
  readonly readFile: ReadFile
  readonly listFolder: ListFolder
}

/** Appends what the files of `bucketsFolder` hold to `buckets` in `tree`, and tells which entry is from which file. */
export function addBucketFiles(
  tree: Tree,
  { readFile, listFolder }: FolderReader,
): { readonly problems: Problem[]; readonly origins: Origin[] } {
  const { bucketsFolder: folder, buckets = [] } = tree
  // Whatever else they are the schema refuses.
  if (typeof folder !== 'string' || folder === '' || !Array.isArray(buckets)) return { problems: [], origins: [] }
  const problems: Problem[] = []
  const origins: Origin[] = []
  const entries: unknown[] = [...buckets]
  for (const path of filesIn(folder, listFolder, problems)) {
    const found = readYaml(path, () => readFile(path))
    problems.push(...found.problems)
    for (const entry of found.value === undefined ? [] : [found.value].flat()) {
      origins.push({ path: ['buckets', entries.length], name: path })
      entries.push(entry)
    }
  }
  tree['buckets'] = entries
  return { problems, origins }
}

/** Files that editors and mounts leave beside the others begin with a dot. */
function filesIn(folder: string, listFolder: ListFolder, problems: Problem[]): string[] {
  try {
    return listFolder(folder)
      .filter((name) => /^[^.].*\.ya?ml$/.test(name))
      .toSorted()
      .map((name) => join(folder, name))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const hint = code === 'ENOENT' ? 'there is no such folder' : `cannot be listed ${code}`.trim()
    problems.push({ path: ['bucketsFolder'], hint, value: folder })
    return []
  }
}
