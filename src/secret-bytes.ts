/**
 * Bytes of a key, and their end (docs/decisions/0012-secrets-end.md). They lie in memory of their own outside the collector's heap,
 * so that there is one copy of them, and are zeroed as soon as nobody can reach them: never under the hands of a stream that
 * works with them for hours, and with nobody counting holders. A single owner ends them earlier by `dispose`.
 */

/** A key. Whoever holds a piece of it (`subarray`) holds all of it. It prints as `<secret>`. */
export interface SecretBytes extends Buffer {
  /**
   * Zeroes the bytes and takes their memory away: for an owner that shares them with nobody. A use of them afterwards finds no
   * bytes, which no cipher and no derivation takes; it never finds a key of zeros, which everybody knows.
   */
  dispose(): void
}

// The memory, not its view: what is told here must not reach the view, or it would never end.
const ends = new FinalizationRegistry<ArrayBufferLike>((memory) => {
  new Uint8Array(memory).fill(0)
  outstanding -= 1
})
let outstanding = 0

/** Secrets whose memory has not been zeroed: for tests. */
export const outstandingSecrets = (): number => outstanding

/** What holds the whole for as long as its piece is held. */
const wholes = new WeakMap<object, object>()

function piece(this: Buffer, start?: number, end?: number): Buffer {
  const cut = Buffer.prototype.subarray.call(this, start, end)
  wholes.set(cut, this)
  return cut
}

function dispose(this: Buffer): void {
  if (this.length === 0 || !ends.unregister(this)) return
  this.fill(0)
  outstanding -= 1
  const { buffer: memory } = this
  if (memory instanceof ArrayBuffer) structuredClone(memory, { transfer: [memory] })
}

const PROTOTYPE: object = Object.assign(Object.create(Buffer.prototype), {
  subarray: piece,
  slice: piece,
  dispose,
  toJSON: () => '<secret>',
  [Symbol.for('nodejs.util.inspect.custom')]: () => '<secret>',
})

/** Memory of its own outside the collector's heap: V8 keeps the small buffers of `Buffer.alloc` inside, moves them and leaves copies behind. */
export const ownMemory = (bytes: number): Buffer<ArrayBuffer> => Buffer.from(new ArrayBuffer(bytes))

/** Makes a secret of bytes that nobody else uses: of their memory if they are all of it, else of a copy, and wipes what it copied. */
export function takeSecret(bytes: Buffer): SecretBytes {
  if (isSecret(bytes)) return bytes
  const whole = bytes.length > 0 && bytes.length === bytes.buffer.byteLength ? bytes : moved(bytes)
  Object.setPrototypeOf(whole, PROTOTYPE)
  if (!isSecret(whole)) throw new TypeError('the prototype of a secret does not hold')
  ends.register(whole, whole.buffer, whole)
  outstanding += 1
  return whole
}

const isSecret = (bytes: Buffer): bytes is SecretBytes => Object.getPrototypeOf(bytes) === PROTOTYPE

function moved(bytes: Buffer): Buffer {
  const own = ownMemory(bytes.length)
  bytes.copy(own)
  bytes.fill(0)
  return own
}
