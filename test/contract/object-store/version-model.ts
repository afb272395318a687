// Versions of keys in their plainest form: for each key a list, newest first.

interface Version {
  readonly id: string
  /** `undefined` for a delete marker. */
  readonly content: string | undefined
}

export interface VersionEntryModel {
  readonly name: string
  readonly id?: string
  readonly latest?: boolean
  readonly marker?: boolean
  readonly prefix?: true
}

export interface VersionModel {
  switchTo(status: 'Enabled' | 'Suspended'): void
  put(key: string, id: string, content: string): void
  /** `id`: of the marker; `undefined` where versions were never switched on. */
  delete(key: string, id: string | undefined): void
  remove(key: string, id: string): void
  of(key: string): readonly Version[]
  entries(prefix: string, delimiter: string | undefined): VersionEntryModel[]
  readable(): { key: string; id: string; content: string }[]
  current(): [key: string, content: string | undefined][]
}

export function keyModel(): VersionModel {
  const keys = new Map<string, Version[]>()
  let status: 'Enabled' | 'Suspended' | undefined
  const of = (key: string): Version[] => keys.get(key) ?? []
  const add = (key: string, version: Version): void => {
    const others = status === 'Enabled' ? of(key) : of(key).filter(({ id }) => id !== 'null')
    keys.set(key, [version, ...others])
  }
  const inOrder = (): [string, Version[]][] =>
    [...keys].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return {
    switchTo: (next) => {
      status = next
    },
    put: (key, id, content) => {
      add(key, { id, content })
    },
    delete: (key, id) => {
      if (id === undefined) keys.delete(key)
      else add(key, { id, content: undefined })
    },
    remove: (key, id) => {
      keys.set(
        key,
        of(key).filter((version) => version.id !== id),
      )
    },
    of,
    entries: (prefix, delimiter) => {
      const entries: VersionEntryModel[] = []
      for (const [key, versions] of inOrder()) {
        if (!key.startsWith(prefix)) continue
        const cut = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
        const common = cut < 0 ? undefined : key.slice(0, cut + 1)
        if (common === undefined) {
          entries.push(
            ...versions.map(({ id, content }, at) => ({
              name: key,
              id,
              latest: at === 0,
              marker: content === undefined,
            })),
          )
        } else if (versions.length > 0 && !entries.some(({ name, prefix: is }) => is === true && name === common)) {
          entries.push({ name: common, prefix: true })
        }
      }
      return entries
    },
    readable: () =>
      [...keys].flatMap(([key, versions]) =>
        versions.flatMap(({ id, content }) => (content === undefined ? [] : [{ key, id, content }])),
      ),
    current: () => [...keys].map(([key, versions]) => [key, versions[0]?.content]),
  }
}
