/** Ciphertext of a store to verified plaintext: whole objects and ranges. */
import type { Body } from '../backends/body.ts'
import type { GetResult } from '../backends/object-store.ts'
import { type Layout, layoutOfMetadata, layoutOfTail, storedSpan } from '../format/layout.ts'
import { ObjectOpener, RangeOpener } from '../format/open-object.ts'
import type { TailRecord } from '../format/tail-record.ts'
import type { Meter } from '../telemetry/meter.ts'
import type { Gateway } from './gateway.ts'
import { getSame, readTail, type SealedObject, type StoredObject } from './sealed-object.ts'

export interface PlainRange {
  readonly first: number
  readonly last: number
}

/** Where the segments are: from the sealed metadata of a one-segment object, else from the tail (one small read beside the body). */
async function layoutOf(gateway: Gateway, sealed: SealedObject, signal: AbortSignal) {
  const { envelope, metadata, info } = sealed
  if (envelope.flags.sizeInMetadata) return { layout: layoutOfMetadata(envelope.suite, metadata, info.size) }
  const record = await readTail(gateway, sealed, signal)
  return { layout: layoutOfTail(envelope.suite, record, info.size), record }
}

/** The whole plaintext. The last non-empty chunk comes only after pad, tail, foot and trailer were verified; below 64 KiB nothing comes before. */
export async function openWhole(
  gateway: Gateway,
  sealed: StoredObject,
  stored: GetResult,
  signal: AbortSignal,
): Promise<Body> {
  if (sealed.kind === 'plain') return stored.body
  const opener = new ObjectOpener({ objectKey: sealed.objectKey, ...(await layoutOf(gateway, sealed, signal)) })
  return decodeWhole(gateway, opener, stored.body)
}

/** The whole plaintext, asked for anew. What is under way when that fails is given up: whoever begins again needs its connection to the store. */
export async function readWhole(gateway: Gateway, sealed: StoredObject, signal: AbortSignal): Promise<Body> {
  const stored = await getSame(gateway, sealed, { first: 0, last: sealed.info.size - 1 }, signal)
  try {
    return await openWhole(gateway, sealed, stored, signal)
  } catch (error) {
    await giveUp(stored)
    throw error
  }
}

/** Reads a whole object for its own sake: every check that a read makes, and nothing kept of the plaintext. What the tail says, and the foot, which is not opened here. */
export async function verifyWhole(
  gateway: Gateway,
  sealed: SealedObject,
  signal: AbortSignal,
): Promise<{ readonly tail: TailRecord; readonly foot: Buffer }> {
  const opener = new ObjectOpener({ objectKey: sealed.objectKey, ...(await layoutOf(gateway, sealed, signal)) })
  const stored = await getSame(gateway, sealed, { first: 0, last: sealed.info.size - 1 }, signal)
  for await (const _ of decodeWhole(gateway, opener, stored.body));
  return { tail: opener.tail, foot: opener.foot }
}

function opened(opener: ObjectOpener | RangeOpener, batch: readonly Buffer[], meter: Meter): Buffer[] {
  const plain: Buffer[] = []
  const begun = performance.now()
  for (const piece of batch) for (const part of opener.push(piece)) plain.push(part)
  meter.cipherMilliseconds += performance.now() - begun
  return plain
}

async function* decodeWhole({ meter }: Gateway, opener: ObjectOpener, stored: Body): Body {
  try {
    for await (const batch of stored) {
      const plain = opened(opener, batch, meter)
      if (plain.length > 0) yield plain
    }
    const begun = performance.now()
    const last = opener.end()
    meter.cipherMilliseconds += performance.now() - begun
    if (last.length > 0) yield last
  } finally {
    opener.dispose()
  }
}

/**
 * A range of the plaintext. `guess` is an answer already under way to the stored range that a one-segment object would have;
 * it is used if the object is one, and given up otherwise, before anything else is asked: it holds a connection to the store.
 */
export async function openRange(
  gateway: Gateway,
  sealed: StoredObject,
  range: PlainRange,
  signal: AbortSignal,
  guess?: GetResult,
): Promise<Body> {
  const usable = sealed.kind === 'sealed' && sealed.envelope.flags.sizeInMetadata ? guess : undefined
  if (usable === undefined) await giveUp(guess)
  if (sealed.kind === 'plain') return (await getSame(gateway, sealed, range, signal)).body
  const { layout } = await layoutOf(gateway, sealed, signal)
  const opener = new RangeOpener({ objectKey: sealed.objectKey, layout, ...range })
  const stored = usable ?? (await getSpan(gateway, sealed, layout, range, signal))
  return decodeRange(gateway, opener, stored.body)
}

/** Ends a body that nobody will read, and lets go of what the store holds for it. */
export async function giveUp(stored: GetResult | undefined): Promise<void> {
  await stored?.body[Symbol.asyncIterator]().return?.()
}

function getSpan(gateway: Gateway, sealed: StoredObject, layout: Layout, range: PlainRange, signal: AbortSignal) {
  return getSame(gateway, sealed, storedSpan(layout, range.first, range.last), signal)
}

async function* decodeRange({ meter }: Gateway, opener: RangeOpener, stored: Body): Body {
  try {
    for await (const batch of stored) {
      const plain = opened(opener, batch, meter)
      if (plain.length > 0) yield plain
      if (opener.done) break
    }
    opener.end()
  } finally {
    opener.dispose()
  }
}

/** A body of a known small size as a list of its pieces. */
export async function gather(body: Body): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return pieces
}
