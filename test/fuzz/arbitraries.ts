/** Inputs as clients and attackers write them. Strings of the wire have one code unit for each byte. */
import fc, { type Arbitrary } from 'fast-check'

/** One byte of the wire as a character, those that mean something more often. */
const wireCharacter: Arbitrary<string> = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom(...' \t\r\n"\'%&;=,/?#+:*<>-_.0a'.split('')) },
  { weight: 20, arbitrary: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) },
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code)) },
)

/** Any bytes. */
export const wireText: Arbitrary<string> = fc.string({ unit: wireCharacter, maxLength: 40 })

/** Any text, astral characters and lone surrogates too. */
export const anyText: Arbitrary<string> = fc.string({ unit: 'binary', maxLength: 30 })

/** One piece over and over: what makes slow parsers show themselves. */
const long: Arbitrary<string> = fc
  .tuple(fc.string({ unit: wireCharacter, minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 16_000 }))
  .map(([piece, times]) => piece.repeat(Math.ceil(times / piece.length)))

const numbers = fc.constantFrom('0', '1', '-1', '+1', '00', '1e3', '0x10', '10000', '10001', '2147483647', '2147483648')
const more = fc.constantFrom('9007199254740993', '99999999999999999999999', 'NaN', 'Infinity', '1.5', ' 1', '1 ', '')

/** A text somewhere where `known` ones are expected: those, their combinations, changes of them, and anything. */
export const near = (...known: readonly string[]): Arbitrary<string> => {
  const word = fc.oneof(fc.constantFrom(...known), numbers, more, fc.string({ unit: wireCharacter, maxLength: 4 }))
  return fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...known) },
    { weight: 40, arbitrary: fc.array(word, { maxLength: 5 }).map((words) => words.join('')) },
    { weight: 10, arbitrary: numbers },
    { weight: 10, arbitrary: more },
    { weight: 20, arbitrary: wireText },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...known), long).map((two) => two.join('')) },
  )
}

/** Some of the named headers with values near theirs, in the form of `rawHeaders`. */
export const rawHeaders = (values: Readonly<Record<string, readonly string[]>>): Arbitrary<string[]> => {
  const one = fc.oneof(...Object.entries(values).map(([name, known]) => fc.tuple(fc.constant(name), near(...known))))
  return fc.array(one, { maxLength: 6 }).map((entries) => entries.flat())
}

/** A query string of the named parameters with values near theirs, some of them escaped, some broken. */
export const rawQuery = (values: Readonly<Record<string, readonly string[]>>): Arbitrary<string> => {
  const one = fc.oneof(
    ...Object.entries(values).map(([name, known]) =>
      fc
        .tuple(fc.constantFrom('=', '=', '=', ''), near(...known), fc.boolean())
        .map(
          ([equals, value, escape]) =>
            `${name}${equals}${equals && escape ? encodeURIComponent(value) : equals && value}`,
        ),
    ),
    wireText,
  )
  return fc.array(one, { maxLength: 6 }).map((parts) => parts.join('&'))
}
