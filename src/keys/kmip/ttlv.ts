/** TTLV, the encoding of KMIP (KMIP 1.4, section 9.1): tag, type, length and value, each item filled up to a multiple of 8 bytes. */
import { utf8 } from '../../format/derive.ts'
import { KmipFault } from './fault.ts'

/** Bytes are views of the message they were read from. */
interface Values {
  readonly structure: readonly Item[]
  readonly integer: number
  readonly 'long integer': bigint
  readonly 'big integer': Buffer
  readonly enumeration: number
  readonly boolean: boolean
  readonly text: string
  readonly bytes: Buffer
  readonly 'date-time': bigint
  readonly interval: number
}

type TypeName = keyof Values

interface ItemOf<Type extends TypeName> {
  readonly tag: number
  readonly type: Type
  readonly value: Values[Type]
}

export type Item = { [Type in TypeName]: ItemOf<Type> }[TypeName]

/** In the order of their numbers, from 1. */
const TYPES: readonly TypeName[] = [
  'structure',
  'integer',
  'long integer',
  'big integer',
  'enumeration',
  'boolean',
  'text',
  'bytes',
  'date-time',
  'interval',
]

const codeOf = (type: TypeName): number => TYPES.indexOf(type) + 1

/** Values of these types have one length. */
const LENGTHS: Partial<Readonly<Record<TypeName, number>>> = {
  integer: 4,
  enumeration: 4,
  interval: 4,
  'long integer': 8,
  'date-time': 8,
  boolean: 8,
}

export const HEADER_BYTES = 8
const STEP = 8
/** Deeper than any message of KMIP. */
const MAX_DEPTH = 16
/** The first bytes of tags: those of the specification, and those of vendors. */
const TAG_SPACES = [0x42, 0x54]

const padded = (length: number): number => Math.ceil(length / STEP) * STEP

/** The one encoding of an item, in memory of its own. */
export function encode(item: Item): Buffer {
  const out = Buffer.alloc(sizeOf(item))
  write(out, 0, item)
  return out
}

const sizeOf = (item: Item): number => HEADER_BYTES + padded(lengthOf(item))

function lengthOf(item: Item): number {
  if (item.type === 'structure') return item.value.reduce((sum, inner) => sum + sizeOf(inner), 0)
  if (item.type === 'text') return Buffer.byteLength(item.value)
  if (item.type === 'bytes' || item.type === 'big integer') return item.value.length
  return LENGTHS[item.type] ?? 0
}

/** Returns where the next item begins. */
function write(out: Buffer, at: number, item: Item): number {
  const length = lengthOf(item)
  out.writeUIntBE(item.tag, at, 3)
  out.writeUInt8(codeOf(item.type), at + 3)
  out.writeUInt32BE(length, at + 4)
  const from = at + HEADER_BYTES
  if (item.type === 'structure') {
    let next = from
    for (const inner of item.value) next = write(out, next, inner)
    return next
  }
  writeValue(out, from, item)
  return from + padded(length)
}

function writeValue(out: Buffer, at: number, item: Exclude<Item, { readonly type: 'structure' }>): void {
  switch (item.type) {
    case 'integer':
      out.writeInt32BE(item.value, at)
      break
    case 'enumeration':
    case 'interval':
      out.writeUInt32BE(item.value, at)
      break
    case 'long integer':
    case 'date-time':
      out.writeBigInt64BE(item.value, at)
      break
    case 'boolean':
      out.writeBigUInt64BE(item.value ? 1n : 0n, at)
      break
    case 'text':
      utf8(item.value).copy(out, at)
      break
    case 'big integer':
    case 'bytes':
      item.value.copy(out, at)
  }
}

/** How many bytes the message has whose first ones these are. Throws the fault `garbage` if they begin no structure of this tag. */
export function lengthOfMessage(head: Buffer, tag: number): number {
  if (head.readUIntBE(0, 3) !== tag || head[3] !== codeOf('structure')) throw new KmipFault({ reason: 'garbage' })
  return HEADER_BYTES + head.readUInt32BE(4)
}

/** Reads the one item that `message` is. Throws the fault `garbage` for whatever `encode` would not have written. */
export function decode(message: Buffer): Item {
  const { item, end } = read(message, 0, message.length, 1)
  if (end !== message.length) throw new KmipFault({ reason: 'garbage' })
  return item
}

/** The item at `from`, which ends at `limit` at the latest. */
function read(message: Buffer, from: number, limit: number, depth: number): { item: Item; end: number } {
  const start = from + HEADER_BYTES
  if (depth > MAX_DEPTH || start > limit) throw new KmipFault({ reason: 'garbage' })
  const tag = message.readUIntBE(from, 3)
  const type = TYPES[message.readUInt8(from + 3) - 1]
  const length = message.readUInt32BE(from + 4)
  const end = start + padded(length)
  if (type === undefined || end > limit || !TAG_SPACES.includes(tag >>> 16)) throw new KmipFault({ reason: 'garbage' })
  if (length !== (LENGTHS[type] ?? length)) throw new KmipFault({ reason: 'garbage' })
  if (type === 'structure') return { item: { tag, type, value: readAll(message, start, start + length, depth) }, end }
  if (message.subarray(start + length, end).some((byte) => byte !== 0)) throw new KmipFault({ reason: 'garbage' })
  return { item: readValue(tag, type, message.subarray(start, start + length)), end }
}

/** The items of a structure, which fill it. */
function readAll(message: Buffer, from: number, limit: number, depth: number): Item[] {
  const items: Item[] = []
  for (let at = from; at < limit; ) {
    const { item, end } = read(message, at, limit, depth + 1)
    items.push(item)
    at = end
  }
  return items
}

function readValue(tag: number, type: Exclude<TypeName, 'structure'>, value: Buffer): Item {
  switch (type) {
    case 'integer':
      return { tag, type, value: value.readInt32BE(0) }
    case 'enumeration':
    case 'interval':
      return { tag, type, value: value.readUInt32BE(0) }
    case 'long integer':
    case 'date-time':
      return { tag, type, value: value.readBigInt64BE(0) }
    case 'boolean':
      return { tag, type, value: readBoolean(value) }
    case 'text':
      return { tag, type, value: readText(value) }
    case 'big integer':
      if (value.length === 0 || value.length % STEP !== 0) throw new KmipFault({ reason: 'garbage' })
      return { tag, type, value }
    case 'bytes':
      break
  }
  return { tag, type: 'bytes', value }
}

function readBoolean(value: Buffer): boolean {
  const number = value.readBigUInt64BE(0)
  if (number > 1n) throw new KmipFault({ reason: 'garbage' })
  return number === 1n
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readText(value: Buffer): string {
  try {
    return UTF8.decode(value)
  } catch {
    throw new KmipFault({ reason: 'garbage' })
  }
}

/**
 * The value of the item of this tag; `undefined` if there is none. Throws the fault `garbage` for one of another type, or two: which
 * of them counts would be anybody's guess.
 */
export function valueIn<Type extends TypeName>(
  items: readonly Item[],
  tag: number,
  type: Type,
): Values[Type] | undefined {
  const [found, second] = items.filter((item) => item.tag === tag)
  if (found === undefined) return undefined
  if (second !== undefined || !isOf(found, type)) throw new KmipFault({ reason: 'garbage' })
  return found.value
}

function isOf<Type extends TypeName>(item: Item | ItemOf<Type>, type: Type): item is ItemOf<Type> {
  return item.type === type
}

/** As `valueIn`, of one that must be there. */
export function requireIn<Type extends TypeName>(items: readonly Item[], tag: number, type: Type): Values[Type] {
  const value = valueIn(items, tag, type)
  if (value === undefined) throw new KmipFault({ reason: 'garbage' })
  return value
}
