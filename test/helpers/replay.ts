/** What was written to stores, to be written again to fresh ones: the same world a thousand times without the work of making it. */
import type { Body } from '../../src/backends/body.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { isBody } from './observed-calls.ts'

const WRITES = new Set<string | symbol>(['createBucket', 'put', 'createUpload', 'putPart'])

type Stores = Readonly<Record<string, ObjectStore>>
type Write = (stores: Stores) => Promise<unknown>

export class Recording {
  readonly #writes: Write[] = []

  /** The store, with every write remembered under `label`. */
  wrap = (label: string, store: ObjectStore): ObjectStore =>
    new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (!WRITES.has(name)) return value.bind(target) as unknown
        return async (...args: unknown[]) => {
          const kept = await Promise.all(args.map(async (arg) => (isBody(arg) ? held(await all(arg)) : arg)))
          const write = (to: unknown): Promise<unknown> => Reflect.apply(value, to, kept) as Promise<unknown>
          this.#writes.push(({ [label]: to }) => write(to))
          return write(target)
        }
      },
    })

  /** Writes everything again, in the same order. */
  async replay(stores: Stores): Promise<void> {
    for (const write of this.#writes) await write(stores)
  }
}

async function all(body: Body): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch.map((piece) => Buffer.from(piece)))
  return pieces
}

const held = (pieces: readonly Buffer[]): Body => ({
  async *[Symbol.asyncIterator]() {
    yield pieces
  },
})
