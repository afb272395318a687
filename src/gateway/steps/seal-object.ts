/**
 * Sealing what lies in plaintext in a bucket of mixed contents: in its place, or in another bucket. Into another bucket sealed
 * objects go too, under keys of their own, so that it has all that clients had before.
 */
import type { ObjectStep, StepOptions, StepOutcome } from '../../object-step.ts'
import { encryptionOf } from '../encryption.ts'
import type { Gateway } from '../gateway.ts'
import { carriedOver } from '../object-metadata.ts'
import type { Place } from '../place.ts'
import { readPlain, type PlainObject } from '../plain-object.ts'
import { defaultChecksum } from '../put-object.ts'
import { reseal } from '../reseal.ts'
import { presentInfo } from '../sealed-object.ts'
import { stepOfWrite, writeAnew } from '../write-anew.ts'
import { decides } from '../write-conditions.ts'
import { KeptAttributes } from './kept-attributes.ts'
import { type Found, findObject, type Replacement, type ReplacementOptions, Replacements } from './replacement.ts'
import { isOutcome, isPlain, NOTHING, readFound, sealedAsAsked } from './sealed-found.ts'
import { done, OVERTAKEN, telling, unchanged, untouchable } from './step.ts'

export interface SealOptions extends ReplacementOptions {
  /** The bucket that gets the sealed objects; by default each stays where it is. */
  readonly into?: string
}

export function sealObject(gateway: Gateway, options: SealOptions = {}): ObjectStep {
  const sealing = new Sealing(gateway, options)
  const { into } = options
  return telling(async (object, step) => {
    const found = await findObject(gateway, object)
    if (found === undefined) return OVERTAKEN
    return into === undefined || into === object.bucket ? sealing.inPlace(found, step) : sealing.into(into, found, step)
  })
}

class Sealing {
  readonly #gateway: Gateway
  readonly #replacements: Replacements
  readonly #kept: KeptAttributes

  constructor(gateway: Gateway, options: SealOptions) {
    this.#gateway = gateway
    this.#replacements = new Replacements(gateway, options)
    this.#kept = new KeptAttributes(gateway)
  }

  async inPlace(found: Found, { dryRun, signal }: StepOptions): Promise<StepOutcome> {
    if (!isPlain(found)) return unchanged('it is sealed')
    const plain = readPlain(this.#gateway, found.place, found.info)
    const decided = decides(this.#gateway, stepOfWrite(this.#gateway, plain.size))
    const bar = await this.#replacements.bar(found, decided, signal)
    if (bar !== undefined) return untouchable(bar)
    if (dryRun) return done(plain.size)
    const kept = await this.#kept.of(plain, found.place, false, signal)
    await this.#seal(plain, found.place, this.#replacements.of(found, decided, kept), signal)
    return done(plain.size)
  }

  /** What the other bucket has stays, if it is as new. */
  async into(bucket: string, found: Found, { dryRun, signal }: StepOptions): Promise<StepOutcome> {
    const { place, info, isLatest } = found
    if (!isLatest) return untouchable('it is an earlier version: only newest ones go into the other bucket')
    const there = await presentInfo(this.#gateway, { bucket, key: place.key })
    if (there !== undefined && there.lastModified > info.lastModified) return unchanged('the other bucket has it')
    const source = await readFound(this.#gateway, found)
    if (isOutcome(source)) return source
    const target = { place: { bucket, key: place.key }, info: there, isLatest: true }
    const decided = decides(this.#gateway, stepOfWrite(this.#gateway, source.size))
    const bar = await this.#replacements.bar(target, decided, signal)
    if (bar !== undefined) return untouchable(bar)
    if (dryRun) return done(source.size)
    const kept = await this.#kept.of(source, target.place, false, signal)
    const guarded = this.#replacements.of(target, decided, kept)
    const replacement = {
      ...guarded,
      // The copy would be taken for one of what the source has become.
      confirm: async () => {
        await this.#replacements.requireSame(found)
        await guarded.confirm()
      },
    }
    if (source.kind === 'plain') {
      await this.#seal(source, target.place, replacement, signal)
    } else {
      await reseal(this.#gateway, {
        sealed: source,
        target: target.place,
        encryption: await sealedAsAsked(this.#gateway, bucket, source.metadata.tlvs),
        ...replacement,
        signal,
      })
    }
    return done(source.size)
  }

  async #seal(plain: PlainObject, target: Place, replacement: Replacement, signal: AbortSignal): Promise<void> {
    await writeAnew(this.#gateway, {
      source: plain,
      target,
      tlvs: carriedOver(plain.tlvs, NOTHING),
      encryption: await encryptionOf(this.#gateway, target.bucket, NOTHING),
      checksum: defaultChecksum(this.#gateway, plain.size),
      ...replacement,
      signal,
    })
  }
}
