import { expect, test } from 'vitest'
import { parsedOnce } from '../../src/gateway/configuration/parsed-once.ts'

function counting() {
  const parsed: string[] = []
  const parse = parsedOnce((document) => {
    parsed.push(document.toString('hex'))
    if (document[0] === 0xff) throw new Error('unreadable')
    return document.length
  })
  return { parsed, parse }
}

test('a document is parsed when it first comes, whoever sends it again', () => {
  const { parsed, parse } = counting()
  expect([parse(Buffer.from('ab')), parse(Buffer.from('ab')), parse(Buffer.from('c'))]).toEqual([2, 2, 1])
  expect(parsed).toEqual(['6162', '63'])
})

test('documents are told apart by their bytes', () => {
  const { parsed, parse } = counting()
  for (const bytes of [[0xc3, 0xa9], [0xe9], [0xc3, 0xa9]]) parse(Buffer.from(bytes))
  expect(parsed).toEqual(['c3a9', 'e9'])
})

test('what cannot be read any more is tried each time, and is our fault', () => {
  const { parsed, parse } = counting()
  const fault = expect.objectContaining({ code: 'InternalError', cause: new Error('unreadable') })
  for (let i = 0; i < 2; i += 1) expect(() => parse(Buffer.from([0xff]))).toThrow(fault)
  expect(parsed).toHaveLength(2)
})

test('the oldest of more than 64 is forgotten, and no other', () => {
  const { parsed, parse } = counting()
  for (let i = 0; i <= 64; i += 1) parse(Buffer.from([i]))
  parse(Buffer.from([64]))
  parse(Buffer.from([1]))
  expect(parsed).toHaveLength(65)
  parse(Buffer.from([0]))
  expect(parsed).toHaveLength(66)
})
