// The fuzzer itself: whatever must not happen is found.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { S3Error } from '../../src/s3/errors.ts'
import { fuzz } from './engine.ts'
import { orRefuse, parserTarget, type Target, turnsProperty } from './target.ts'
import { readAnswer, requireAnswer } from './wire/answer.ts'

const report = async (run: (value: number) => void): Promise<string | undefined> =>
  (await fuzz(parserTarget('numbers', 1, fc.nat(100), run), 500, 1))?.report

const turns = (run: () => Promise<void>): Target => ({
  name: 'turns',
  share: 1,
  batch: 10,
  prepare: async () => ({ property: turnsProperty(fc.nat(), run), close: async () => {} }),
})

describe('a target fails', () => {
  it('where a parser throws what S3 has not, with the smallest case', async () => {
    expect(
      await report((value) =>
        orRefuse(() => {
          if (value > 41) throw new RangeError('odd')
        }),
      ),
    ).toMatch(/odd[^]*\[ 42 \]/)
  })

  it('where a parser blames us', async () => {
    const blame = (): never => {
      throw new S3Error('InternalError')
    }
    expect(await report(() => orRefuse(blame))).toContain('a 500')
  })

  it('where a case takes long', async () => {
    const busy = (): void => {
      for (const end = performance.now() + 1_010; performance.now() < end; );
    }
    expect(await report(busy)).toContain('longer than')
  })

  it('where nobody waits for a promise', async () => {
    const stray = turns(async () => void Promise.reject(new Error('stray')))
    expect((await fuzz(stray, 10, 1))?.report).toContain('stray')
  })
})

describe('an answer is refused', () => {
  const answer = (text: string): void => {
    const read = readAnswer(Buffer.from(text), 'GET')
    if (read === undefined) throw new Error('not whole')
    requireAnswer(read, 'GET')
  }
  const refusal = (status: number, document: string): string =>
    `HTTP/1.1 ${status} X\r\nx-amz-request-id: 1\r\ncontent-type: application/xml\r\ncontent-length: ${document.length}\r\n\r\n${document}`
  const DOCUMENT = '<Error><Code>NoSuchKey</Code><RequestId>1</RequestId></Error>'

  it.each([
    ['for our fault', refusal(500, DOCUMENT), '500'],
    ['without a document', refusal(404, ''), 'without a document'],
    ['with a document that is none', refusal(404, DOCUMENT.replace('</Code>', '')), 'unexpected close tag'],
    ['with a code that S3 has not', refusal(404, DOCUMENT.replace('Key', 'Luck')), 'no code'],
    ['with another id', refusal(404, DOCUMENT.replace('>1<', '>2<')), 'another id'],
    ['without an id', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 'without an id'],
    ['without a length', 'HTTP/1.1 200 OK\r\nx-amz-request-id: 1\r\n\r\n', 'without a length'],
  ])('%s', (_what, text, why) => {
    expect(() => answer(text)).toThrow(why)
  })

  it('but not a good one', () => {
    expect(() => answer(refusal(404, DOCUMENT))).not.toThrow()
  })
})
