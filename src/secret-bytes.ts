/**
 * Bytes of a key, and their end (docs/decisions/0015-secrets-end.md). They lie outside the collector's heap, so that there is one copy
 * of them, and are zeroed when nobody can reach them any more: never under the hands of a stream that works with them for
 * hours, and with nobody counting holders. A single owner ends them earlier by `dispose`.
 */

declare const secret: unique symbol

/** A key that ends when its last holder lets go of it. Whoever holds a piece of it (`subarray`), or a piece of that, holds all of it; `buffer` does not hold it. It prints as `<secret>`. */
export interface Secret extends Buffer {
  readonly [secret]: true
}

/** A key with memory of its own, and an owner. */
export interface SecretBytes extends Secret {
  /**
   * Zeroes the bytes and takes their memory away: for an owner that shares them with nobody. A use of them afterwards finds no
   * bytes, which no cipher and no derivation takes; it never finds a key of zeros, which everybody knows.
   */
  dispose(): void
}

/** Memory that is zeroed when nobody holds a view of it any more. */
class Slab {
  readonly memory: ArrayBuffer
  #next = 0

  constructor(bytes: number) {
    this.memory = new ArrayBuffer(bytes)
    // The memory, not the slab: what is kept there must not reach it, or it would never end.
    ends.register(this, this.memory, this)
    outstanding += 1
  }

  /** Where the next `bytes` begin; `undefined` if they do not fit. */
  place(bytes: number): number | undefined {
    const at = this.#next
    if (at + bytes > this.memory.byteLength) return undefined
    this.#next = at + bytes
    return at
  }

  end(): void {
    if (!ends.unregister(this)) return
    new Uint8Array(this.memory).fill(0)
    outstanding -= 1
    structuredClone(this.memory, { transfer: [this.memory] })
  }
}

const ends = new FinalizationRegistry<ArrayBuffer>((memory) => {
  new Uint8Array(memory).fill(0)
  outstanding -= 1
})
let outstanding = 0

/** Pieces of memory with secrets in them that have not been zeroed: for tests. */
export const outstandingSecrets = (): number => outstanding

class View extends Uint8Array<ArrayBuffer> {
  /** Holds it for as long as this view is held. */
  readonly #slab: Slab

  constructor(slab: Slab, at: number, bytes: number) {
    super(slab.memory, at, bytes)
    this.#slab = slab
  }

  override subarray(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    const { byteOffset, length } = Buffer.from(this.buffer, this.byteOffset, this.length).subarray(start, end)
    return new View(this.#slab, byteOffset, length)
  }

  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return this.subarray(start, end)
  }

  protected end(): void {
    this.#slab.end()
  }

  toJSON(): string {
    return '<secret>'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '<secret>'
  }
}
Object.setPrototypeOf(View.prototype, Buffer.prototype)
// As Node's own: what is made from it is a buffer like any other.
Object.defineProperty(View.prototype, 'constructor', { value: Buffer })

class OwnView extends View {
  dispose(): void {
    this.end()
  }
}
Object.defineProperty(OwnView.prototype, 'constructor', { value: Buffer })

/** Memory of its own outside the collector's heap: V8 keeps the small buffers of `Buffer.alloc` inside, moves them and leaves copies behind. */
export const ownMemory = (bytes: number): Buffer<ArrayBuffer> => Buffer.from(new ArrayBuffer(bytes))

/** A copy in memory of its own. */
export function ownCopy(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const own = ownMemory(bytes.length)
  own.set(bytes)
  return own
}

/** As `ownCopy`, of bytes that are wiped where they were. */
export function takeCopy(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const own = ownCopy(bytes)
  bytes.fill(0)
  return own
}

/** Makes a secret of bytes, and wipes them where they were. */
export function takeSecret(bytes: Buffer): SecretBytes {
  const view = new OwnView(new Slab(bytes.length), 0, bytes.length)
  move(bytes, view)
  if (!isOwnSecret(view)) throw new TypeError('a secret is no buffer')
  return view
}

/** Secrets of short lives that end together: each with an end of its own would cost more than the sealing of a small object. */
const SHARED_BYTES = 2_048
/** Held by its secrets alone. */
let shared = new WeakRef(new Slab(SHARED_BYTES))

/** As `takeSecret`, for keys that are made with each request. They end when none of some sixty neighbours is held any more. */
export function takeShortSecret(bytes: Buffer): Secret {
  if (bytes.length > SHARED_BYTES) return takeSecret(bytes)
  let slab = shared.deref()
  let at = slab?.place(bytes.length)
  if (slab === undefined || at === undefined) {
    slab = new Slab(SHARED_BYTES)
    shared = new WeakRef(slab)
    at = slab.place(bytes.length) ?? 0
  }
  const view = new View(slab, at, bytes.length)
  move(bytes, view)
  if (!isSecret(view)) throw new TypeError('a secret is no buffer')
  return view
}

function move(bytes: Buffer, view: View): void {
  view.set(bytes)
  bytes.fill(0)
}

const isSecret = (view: View): view is View & Secret => Buffer.isBuffer(view)
const isOwnSecret = (view: OwnView): view is OwnView & SecretBytes => Buffer.isBuffer(view)
