/** What is fuzzed: inputs of one kind, and what must hold for each of them. */
import fc, { type Arbitrary } from 'fast-check'
import { SaxesParser } from 'saxes'
import { S3Error } from '../../src/s3/errors.ts'
import { renderError } from '../../src/s3/result-xml.ts'

export interface Target {
  readonly name: string
  /** How many of a hundred cases are its. */
  readonly share: number
  /** Cases that use one world, which is then made anew. */
  readonly batch: number
  /** Makes what one batch runs on. */
  readonly prepare: () => Promise<Batch>
}

export interface Batch {
  /** An input, and whether what must hold holds for it: it throws if not. */
  readonly property: fc.IRawProperty<unknown>
  readonly close: () => Promise<void>
}

const PARSER_BATCH = 20_000

/** No case may take longer. */
const MOST_MILLISECONDS = 1_000
/** A pause of the whole machine is no fault of a case: it must be slow as often as this. */
const SLOW_TRIES = 3

/** A target without a world: pure functions. */
export function parserTarget<T>(name: string, share: number, input: Arbitrary<T>, run: (value: T) => void): Target {
  const property = fc.property(input, (value) => {
    for (let tries = 0; tries < SLOW_TRIES; tries += 1) {
      const started = performance.now()
      run(value)
      if (performance.now() - started <= MOST_MILLISECONDS) return
    }
    throw new Error(`longer than ${MOST_MILLISECONDS} ms`)
  })
  return {
    name,
    share,
    batch: PARSER_BATCH,
    prepare: async () => ({ property, close: async () => {} }),
  }
}

/** The same for what runs in turns of the event loop. */
export function turnsProperty<T>(input: Arbitrary<T>, run: (value: T) => Promise<void>): fc.IRawProperty<unknown> {
  return fc.asyncProperty(input, async (value) => {
    for (let tries = 0; tries < SLOW_TRIES; tries += 1) {
      const started = performance.now()
      await run(value)
      if (performance.now() - started <= MOST_MILLISECONDS) return
    }
    throw new Error(`longer than ${MOST_MILLISECONDS} ms`)
  }) as fc.IRawProperty<unknown>
}

/** Runs a parser that may refuse its input. `undefined` if it did, as S3 would; everything else that is thrown is a bug. */
export function orRefuse<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    requireRefusal(error)
    return undefined
  }
}

/** Throws unless the error is one that S3 has, that does not blame us, and whose document can be read. */
export function requireRefusal(error: unknown): asserts error is S3Error {
  if (!(error instanceof S3Error)) throw error
  if (error.status >= 500 && error.code !== 'NotImplemented') throw new Error(`a ${error.status}`, { cause: error })
  const { code, message, extra } = error
  requireXml(renderError({ code, message, extra, requestId: '1', hostId: '2' }))
}

/** Throws if the text is no well-formed XML 1.0. */
export function requireXml(text: string): void {
  const parser = new SaxesParser()
  parser.on('error', (error) => {
    throw error
  })
  parser.write(text).close()
}
