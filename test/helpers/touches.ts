/** What steps read and write, and so which of them can change places. */

/** What a step reads or writes: a record, or all below a name. Steps that touch nothing in common can change places. */
export interface Touch {
  readonly at: string
  readonly below?: boolean
  readonly write?: boolean
  /** The same write twice is one. */
  readonly removes?: boolean
}

/** A step that can be taken next. */
export interface Choice {
  readonly id: string
  readonly touches: readonly Touch[]
}

/** What a call of a store's method touches. `label` is the store's. Throws for a method of which it is not known. */
export function touchesOf(label: string, method: string, args: readonly unknown[]): readonly Touch[] {
  const [first, second] = args
  const record = `${label}/${String(second)}`
  const part = /\/p\/(\d{5})\//.exec(record)?.[1]
  switch (method) {
    case 'headBucket':
      return []
    case 'get':
    case 'head':
      return [{ at: record }]
    case 'put':
      // The order of a part's attempts is their order in time.
      return [{ at: record, write: true }, ...(part === undefined ? [] : [{ at: `order/${part}`, write: true }])]
    case 'delete':
      return [{ at: record, write: true, removes: true }]
    case 'list':
      return [{ at: `${label}/${prefixOf(second) ?? ''}`, below: true }]
    case 'putPart':
      return [{ at: 'upload/open' }, { at: `upload/part/${String(second)}`, write: true }]
    case 'listParts':
      return [{ at: 'upload/', below: true }]
    case 'completeUpload':
      return [
        { at: 'upload/', below: true, write: true },
        { at: `${label}/${keyOf(first)}`, write: true },
      ]
    case 'abortUpload':
      return [{ at: 'upload/', below: true, write: true }]
    default:
      throw new Error(`nobody knows what ${method} touches`)
  }
}

/** Whether two steps have nothing in common: in either order they lead to the same. */
export function apart(a: Choice, b: Choice): boolean {
  return a.touches.every((one) =>
    b.touches.every((other) => {
      const bothRead = one.write !== true && other.write !== true
      const bothRemove = one.removes === true && other.removes === true
      return bothRead || bothRemove || !meet(one, other)
    }),
  )
}

const meet = (a: Touch, b: Touch): boolean =>
  a.at === b.at || (a.below === true && b.at.startsWith(a.at)) || (b.below === true && a.at.startsWith(b.at))

export const prefixOf = (value: unknown): string | undefined =>
  typeof value === 'object' && value !== null && 'prefix' in value ? String(value.prefix) : undefined

const keyOf = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'key' in value ? String(value.key) : ''
