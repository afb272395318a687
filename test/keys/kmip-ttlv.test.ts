/** TTLV: the examples of the specification, everything there and back, and nothing of what a hostile server may send. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KmipFault } from '../../src/keys/kmip/fault.ts'
import { MAX_RESPONSE_BYTES, parseResponse } from '../../src/keys/kmip/messages.ts'
import { TAG } from '../../src/keys/kmip/protocol.ts'
import { decode, encode, type Item, lengthOfMessage, requireIn, valueIn } from '../../src/keys/kmip/ttlv.ts'

/** KMIP 1.4, section 9.1.2. */
const EXAMPLES: [string, Item][] = [
  ['42002002000000040000000800000000', { tag: 0x420020, type: 'integer', value: 8 }],
  ['420020030000000801b69b4ba5749200', { tag: 0x420020, type: 'long integer', value: 123_456_789_000_000_000n }],
  [
    '42002004000000100000000003fd35eb6bc2df4618080000',
    { tag: 0x420020, type: 'big integer', value: Buffer.from('0000000003fd35eb6bc2df4618080000', 'hex') },
  ],
  ['4200200500000004000000ff00000000', { tag: 0x420020, type: 'enumeration', value: 255 }],
  ['42002006000000080000000000000001', { tag: 0x420020, type: 'boolean', value: true }],
  ['420020070000000b48656c6c6f20576f726c640000000000', { tag: 0x420020, type: 'text', value: 'Hello World' }],
  ['42002008000000030102030000000000', { tag: 0x420020, type: 'bytes', value: Buffer.of(1, 2, 3) }],
  ['42002009000000080000000047da67f8', { tag: 0x420020, type: 'date-time', value: 1_205_495_800n }],
  ['4200200a00000004000d2f0000000000', { tag: 0x420020, type: 'interval', value: 864_000 }],
  [
    '42002001000000204200040500000004000000fe000000004200050200000004000000ff00000000',
    {
      tag: 0x420020,
      type: 'structure',
      value: [
        { tag: 0x420004, type: 'enumeration', value: 254 },
        { tag: 0x420005, type: 'integer', value: 255 },
      ],
    },
  ],
]

const tag = fc.oneof(
  fc.integer({ min: 0x420000, max: 0x42ffff }),
  fc.integer({ min: 0x540000, max: 0x54ffff }),
  fc.constantFrom(...Object.values(TAG)),
)
const buffer = (max: number, unit = 1) =>
  fc.uint8Array({ minLength: unit === 1 ? 0 : 1, maxLength: max }).map((found) => {
    const length = Math.ceil(found.length / unit) * unit
    return Buffer.concat([Buffer.from(found), Buffer.alloc(length - found.length)])
  })
const leaf: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ tag, type: fc.constant('integer' as const), value: fc.integer() }),
  fc.record({ tag, type: fc.constantFrom('enumeration' as const, 'interval' as const), value: fc.nat(0xffffffff) }),
  fc.record({
    tag,
    type: fc.constantFrom('long integer' as const, 'date-time' as const),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  fc.record({ tag, type: fc.constant('big integer' as const), value: buffer(24, 8) }),
  fc.record({ tag, type: fc.constant('bytes' as const), value: buffer(40) }),
  fc.record({ tag, type: fc.constant('boolean' as const), value: fc.boolean() }),
  fc.record({ tag, type: fc.constant('text' as const), value: fc.string({ unit: 'grapheme', maxLength: 20 }) }),
) as fc.Arbitrary<Item>
const { item } = fc.letrec<{ item: Item }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    leaf,
    fc.record({
      tag,
      type: fc.constant('structure' as const),
      value: fc.array(tie('item'), { maxLength: 5 }),
    }) as fc.Arbitrary<Item>,
  ),
}))

const refused = (work: () => unknown): void => {
  expect(work).toThrow(KmipFault)
}

describe('TTLV', () => {
  it.each(EXAMPLES)('the example %s of the specification', (hex, example) => {
    expect(encode(example).toString('hex')).toBe(hex)
    expect(decode(Buffer.from(hex, 'hex'))).toEqual(example)
  })

  it('what is written is read again', () => {
    fc.assert(
      fc.property(item, (one) => {
        const written = encode(one)
        expect(written.length % 8).toBe(0)
        expect(decode(written)).toEqual(one)
      }),
    )
  })

  it('what is read has one encoding, whatever the bytes', () => {
    const bent = fc
      .tuple(item, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
      .map(([one, changes]) => {
        const bytes = encode(one)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(bent, buffer(200)), (bytes) => {
        let read: Item
        try {
          read = decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(KmipFault)
          return
        }
        expect(encode(read)).toEqual(bytes)
      }),
      { numRuns: 2_000 },
    )
  })

  it('a message that ends early or late is refused, at every byte', () => {
    const whole = encode(EXAMPLES.at(-1)?.[1] ?? leafOf())
    for (let length = 0; length < whole.length; length++) refused(() => decode(whole.subarray(0, length)))
    refused(() => decode(Buffer.concat([whole, Buffer.alloc(8)])))
  })

  it.each([
    ['a length beyond the message', '4200200700000fff0000000000000000'],
    ['the greatest length there is', '42002008ffffffff0000000000000000'],
    ['a structure that claims more than the one around it', '420020010000001042000401000000280000000000000000'],
    ['an item that ends outside its structure', '420020010000000842000402000000040000000100000000'],
    ['a structure that ends within a header', '42002001000000044200040200000000'],
    ['an integer of 8 bytes', '42002002000000080000000000000008'],
    ['a boolean that is neither', '42002006000000080000000000000002'],
    ['a big integer of 4 bytes', '42002004000000040000000100000000'],
    ['a big integer of none', '4200200400000000'],
    ['padding that says something', '42002008000000030102030000000001'],
    ['text that is no UTF-8', '4200200700000002c328000000000000'],
    ['an unknown type', '4200200b000000040000000800000000'],
    ['a tag of nobody', '00002002000000040000000800000000'],
  ])('%s is refused', (_what, hex) => {
    refused(() => decode(Buffer.from(hex, 'hex')))
  })

  it('nesting is read to a depth, and beyond it costs nothing', () => {
    const nested = (depth: number): Item =>
      Array.from({ length: depth }).reduce<Item>(
        (inner) => ({ tag: 0x420020, type: 'structure', value: [inner] }),
        leafOf(),
      )
    expect(decode(encode(nested(15)))).toBeDefined()
    refused(() => decode(encode(nested(16))))
    // As many as fit into the longest answer, each claiming the rest.
    const bomb = Buffer.alloc(MAX_RESPONSE_BYTES)
    for (let at = 0; at < bomb.length; at += 8) {
      bomb.writeUInt32BE(0x42002001, at)
      bomb.writeUInt32BE(bomb.length - at - 8, at + 4)
    }
    refused(() => decode(bomb))
  })

  it('many small items are no trouble', () => {
    const flat = encode({ tag: TAG.responseMessage, type: 'structure', value: Array.from({ length: 8_000 }, empty) })
    const before = performance.now()
    expect(decode(flat).value).toHaveLength(8_000)
    expect(performance.now() - before).toBeLessThan(1_000)
  })

  it('a field that is there twice, or of another type, is refused', () => {
    const [one, two] = [leafOf(), leafOf()]
    expect(valueIn([one], one.tag, 'integer')).toBe(8)
    expect(valueIn([], one.tag, 'integer')).toBeUndefined()
    refused(() => valueIn([one, two], one.tag, 'integer'))
    refused(() => valueIn([one], one.tag, 'text'))
    refused(() => requireIn([], one.tag, 'integer'))
  })

  it('the length of a message is known from its head, if it is one', () => {
    expect(lengthOfMessage(Buffer.from('42007b0100000010', 'hex'), TAG.responseMessage)).toBe(24)
    expect(lengthOfMessage(Buffer.from('42007b01ffffffff', 'hex'), TAG.responseMessage)).toBe(2 ** 32 + 7)
    refused(() => lengthOfMessage(Buffer.from('HTTP/1.1'), TAG.responseMessage))
    refused(() => lengthOfMessage(Buffer.from('42007b0700000010', 'hex'), TAG.responseMessage))
  })

  it('whatever item stands for a response is taken or refused, and nothing else happens', () => {
    const request = { operation: 'Query', id: Buffer.alloc(8) } as const
    fc.assert(
      fc.property(item, (one) => {
        const response = encode({ tag: TAG.responseMessage, type: 'structure', value: [one] })
        refused(() => parseResponse(response, request))
        try {
          parseResponse(encode(one), request)
        } catch (error) {
          expect(error).toBeInstanceOf(KmipFault)
        }
      }),
    )
  })
})

function leafOf(): Item {
  return { tag: 0x420020, type: 'integer', value: 8 }
}

function empty(): Item {
  return { tag: 0x420020, type: 'bytes', value: Buffer.alloc(0) }
}
