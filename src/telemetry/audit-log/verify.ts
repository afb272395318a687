/** Checks files of the audit log: each line against the one before, each file against the one it follows. */
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { type ChainFault, faultsOf, type Link, linkOf } from './chain-faults.ts'
import { NO_LINE, parseFileName } from './chain-file.ts'

export interface VerifiedFile {
  readonly path: string
  readonly lines: number
  /** SHA-256 of the last whole line: what to write down elsewhere. */
  readonly head: string
  /** `open`: it does not say that it has ended. It is being written, or its process has ended without a word. */
  readonly state: 'ended' | 'open'
  readonly faults: readonly ChainFault[]
  /** What is worth knowing and no fault. */
  readonly notes: readonly string[]
  /** Whether the head that was asked for is the hash of one of its lines. */
  readonly hasHead: boolean
}

interface Before {
  readonly file: string
  readonly lines: number
  readonly torn: number
}

interface FileRead {
  readonly path: string
  readonly chain: string
  readonly sequence: number
  readonly links: readonly Link[]
  readonly torn: number
  readonly begin: { readonly file: string; readonly before: readonly Before[] } | undefined
  readonly ended: boolean
}

/** In the order of their chains. Of files before and after those that are given nothing is said. */
export async function verifyFiles(paths: readonly string[], head?: string): Promise<readonly VerifiedFile[]> {
  const files: FileRead[] = []
  for (const path of paths) files.push(await readFileOf(path))
  files.sort((a, b) => (a.chain === b.chain ? a.sequence - b.sequence : a.chain < b.chain ? -1 : 1))
  return files.map((file) => ({ ...judge(file, files), hasHead: file.links.some(({ sha256 }) => sha256 === head) }))
}

async function readFileOf(path: string): Promise<FileRead> {
  const links: Link[] = []
  let first = ''
  let last = ''
  let rest = Buffer.alloc(0)
  for await (const piece of createReadStream(path)) {
    rest = Buffer.concat([rest, Buffer.from(piece)])
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      last = rest.toString('latin1', 0, end)
      if (links.length === 0) first = last
      links.push(linkOf(last))
      rest = rest.subarray(end + 1)
    }
  }
  const { chain = '', sequence = 0 } = parseFileName(basename(path)) ?? {}
  return {
    path,
    chain,
    sequence,
    links,
    torn: rest.length,
    begin: beginOf(first),
    ended: /"kind":"end","why":"\w+"\}$/.test(last),
  }
}

/** As anybody may have written it. */
interface BeginLine {
  readonly kind?: unknown
  readonly file?: unknown
  readonly before?: readonly { readonly file: string; readonly lines: number; readonly torn?: number }[]
}

function beginOf(line: string): FileRead['begin'] {
  try {
    const { kind, file, before }: BeginLine = JSON.parse(line)
    if (kind !== 'begin' || typeof file !== 'string' || !Array.isArray(before)) return undefined
    return { file, before: before.map(({ torn = 0, ...named }) => ({ file: named.file, lines: named.lines, torn })) }
  } catch {
    return undefined
  }
}

function judge(file: FileRead, files: readonly FileRead[]): Omit<VerifiedFile, 'hasHead'> {
  const { path, links, begin, ended } = file
  const base = begin?.before.at(-1)
  const end = judgeEnd(file, files)
  // What does not follow from the file before is told of there: its end may be gone.
  const lines = faultsOf(links, begin !== undefined && base === undefined ? NO_LINE : undefined)
  const isFirst = files.find((one) => one.chain === file.chain) === file
  return {
    path,
    lines: links.length,
    head: links.at(-1)?.sha256 ?? NO_LINE,
    state: ended ? 'ended' : 'open',
    faults: [...lines, ...beginFaults(file), ...end.faults, ...missingBetween(file, files)],
    notes: [...end.notes, ...(base === undefined || !isFirst ? [] : [`it follows ${base.file}, which was not given`])],
  }
}

function beginFaults({ path, begin }: FileRead): ChainFault[] {
  if (begin === undefined) return [fault(1, 'removed', 'line 1 does not begin a file: it was removed or changed')]
  if (begin.file === basename(path)) return []
  return [fault(1, 'moved', `line 1 begins ${begin.file}: the file was renamed`)]
}

function judgeEnd(file: FileRead, files: readonly FileRead[]): Pick<VerifiedFile, 'faults' | 'notes'> {
  const { path, links, torn } = file
  const names = (named: Before): boolean => named.file === basename(path)
  const next = files.find((one) => one.begin?.before.some(names))
  const told = next?.begin?.before.find(names)
  const line = links.length + 1
  if (next === undefined || told === undefined) {
    const text = `line ${line} is cut off after ${torn} bytes, and no later file tells of it`
    return { faults: torn === 0 ? [] : [fault(line, 'cut off', text)], notes: [] }
  }
  const note = `its process ended in the middle of line ${line}, as ${basename(next.path)} tells`
  return { faults: endFaults(file, told, next), notes: torn > 0 && told.torn === torn ? [note] : [] }
}

const fault = (line: number, what: ChainFault['what'], text: string): ChainFault => ({ line, what, text })

/** What the file that follows knows of the end of this one. */
function endFaults({ links, torn }: FileRead, told: Before, following: FileRead): ChainFault[] {
  const next = basename(following.path)
  const last = links.length
  const highest = links.reduce((most, { n }) => Math.max(most, n), 0)
  const prev = following.begin?.before.at(-1) === told ? following.links[0]?.prev : undefined
  const faults: ChainFault[] = []
  if (highest > told.lines) {
    const from = links.findIndex(({ n }) => n > told.lines) + 1
    faults.push(fault(from, 'inserted', `from line ${from} on it was added to: ${next} names ${told.lines} lines`))
  } else if (highest < told.lines) {
    const which = told.lines === highest + 1 ? `line ${told.lines} was` : `lines ${highest + 1} to ${told.lines} were`
    faults.push(fault(last + 1, 'cut off', `${which} cut off: ${next} names ${told.lines} lines`))
  } else if (told.lines > 0 && prev !== undefined && !links.some(({ sha256 }) => sha256 === prev)) {
    faults.push(fault(last, 'changed', `line ${last} was changed: ${next} does not follow from it`))
  }
  if (torn !== told.torn) {
    const text = `${torn} bytes are behind the last line, and ${next} names ${told.torn}`
    faults.push(fault(last + 1, torn > told.torn ? 'inserted' : 'cut off', text))
  }
  return faults
}

function missingBetween(file: FileRead, files: readonly FileRead[]): ChainFault[] {
  const before = files.filter((one) => one.chain === file.chain && one.sequence < file.sequence).at(-1)
  if (before === undefined || file.sequence === before.sequence + 1) return []
  const low = before.sequence + 1
  const high = file.sequence - 1
  const which = low === high ? `file ${low} of the chain is` : `files ${low} to ${high} of the chain are`
  return [fault(1, 'removed', `${which} missing before it`)]
}
