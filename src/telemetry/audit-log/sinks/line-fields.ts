/** What sinks take from lines, which begin in one way. */

const HEAD = /^\{"n":\d+,"prev":"[0-9a-f]{64}","at":"([^"]{20,30})","kind":"(\w+)"/

/** When it happened. */
export const timeOf = (line: string): string => HEAD.exec(line)?.[1] ?? '1970-01-01T00:00:00.000Z'

export const kindOf = (line: string): string => HEAD.exec(line)?.[2] ?? '-'

/** Whether it tells of something that did not go well. */
export const isBad = (line: string): boolean => /"result":"(?:refused|failed|broken-off)"|"kind":"gap"/.test(line)
