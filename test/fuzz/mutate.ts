/** Changes of bytes that fast-check can shrink: what is drawn are edits, and a smaller case has fewer of them. */
import fc, { type Arbitrary } from 'fast-check'

/** Where an edit strikes, as a fraction of 2^16 of the whole. */
const SCALE = 65_536
const MOST_COPIES = 2_000

type Edit = (bytes: Buffer) => Buffer

const place = fc.nat(SCALE)
const at = (bytes: Buffer, where: number): number => Math.floor((where * bytes.length) / SCALE)
const splice = (bytes: Buffer, from: number, to: number, insert: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(to)])

/** Pieces that parsers give a meaning to. */
// biome-ignore format: a list of words
const TOKENS = [
  '\r\n', '\n', '\r', '\r\n\r\n', '\0', ' ', '\t', '%', '%00', '%2F', '%zz', '%C3', '+', '&', '=', '?', '//', '/../', '/./', '..', ';', ',', '"',
  '&quot;', '*', 'W/', '-', 'bytes=', '0-', '0', '-1', '4294967296', '9007199254740993', 'ffffffffff', '\u00ff', '\u00c0\u0080', '<', '>',
  '<!DOCTYPE a [<!ENTITY b "c">]>', '&b;', '<![CDATA[', ']]>', '<a>', '</a>', '<!--', '<!-- -->', '<?a b?>', '<?xml version="1.1"?>', '&#0;', '&#xFFFF;', '&#x110000;',
  'uploads', 'uploadId', 'versionId=', 'partNumber=', 'delete', 'acl', 'policy', 'list-type=2', 'continuation-token=', 'x-amz-', 'X-Amz-Signature=',
  'aws-chunked', 'chunked', ';chunk-signature=', '0\r\n', 'x-amz-checksum-crc32:AAAAAA==', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'UNSIGNED-PAYLOAD',
  'Transfer-Encoding: chunked\r\n', 'Content-Length: 5\r\n', 'Expect: 100-continue\r\n', 'Connection: close\r\n', 'Range: bytes=0-0\r\n',
].map((token) => Buffer.from(token, 'latin1'))

const edits: readonly { weight: number; arbitrary: Arbitrary<Edit> }[] = [
  {
    weight: 40,
    arbitrary: fc.tuple(place, fc.nat(255)).map(([where, byte]) => (bytes) => {
      const i = at(bytes, where)
      return splice(bytes, i, i + 1, Uint8Array.of(byte))
    }),
  },
  {
    weight: 40,
    arbitrary: fc.tuple(place, fc.constantFrom(...TOKENS)).map(
      ([where, token]) =>
        (bytes) =>
          splice(bytes, at(bytes, where), at(bytes, where), token),
    ),
  },
  {
    weight: 20,
    arbitrary: fc.tuple(place, fc.nat(40)).map(
      ([where, length]) =>
        (bytes) =>
          splice(bytes, at(bytes, where), at(bytes, where) + length, Buffer.alloc(0)),
    ),
  },
  {
    weight: 20,
    arbitrary: fc.tuple(place, fc.nat(80), place).map(([from, length, to]) => (bytes) => {
      const piece = bytes.subarray(at(bytes, from), at(bytes, from) + length)
      return splice(bytes, at(bytes, to), at(bytes, to), piece)
    }),
  },
  { weight: 10, arbitrary: place.map((where) => (bytes) => bytes.subarray(0, at(bytes, where))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(place, fc.integer({ min: 1, max: 8 }), fc.nat(MOST_COPIES))
      .map(([where, length, copies]) => (bytes) => {
        const piece = bytes.subarray(at(bytes, where), at(bytes, where) + length)
        return splice(
          bytes,
          at(bytes, where),
          at(bytes, where),
          Buffer.concat(Array.from({ length: copies }, () => piece)),
        )
      }),
  },
]

/** One of the given texts with up to `most` changes. */
export const mutated = (originals: readonly Buffer[], most = 4): Arbitrary<Buffer> =>
  fc
    .tuple(fc.nat(originals.length - 1), fc.array(fc.oneof(...edits), { maxLength: most }))
    .map(([which, changes]) => changes.reduce((bytes, change) => change(bytes), originals[which] ?? Buffer.alloc(0)))
